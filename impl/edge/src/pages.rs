//! The few texts that the edge says itself.

/// For what is no browser, or a browser whose service worker is not in charge.
pub(crate) const NOT_TUNNELLED: &str = "\
This address leads directly to somebody's machine, over WebRTC. A plain HTTP request cannot go \
there: open the address in a browser. (Inside a page: the request went out before the page's \
service worker was in charge, or around it; synchronous XMLHttpRequest does that.)\n";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;min-height:100vh;display:grid;place-items:center;\
font:17px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}\
main{max-width:36rem;padding:2rem}\
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .8rem}\
code{font-family:ui-monospace,monospace;background:color-mix(in srgb,CanvasText 9%,transparent);\
padding:.1rem .35rem;border-radius:.25rem}";

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
}

pub(crate) fn landing(parent: &str) -> String {
    let parent = escape(parent);
    page(
        "p2claw",
        &format!(
            "<p>Addresses under <code>{parent}</code> lead directly to apps on people's own \
             machines. Your browser talks to the machine itself, encrypted from end to end; this \
             server only introduces the two.</p>\
             <p>To give an app of yours an address: <code>p2claw expose recipes 5173</code></p>"
        ),
    )
}

pub(crate) fn not_found(text: &str) -> String {
    page(
        "There is nothing at this address",
        &format!(
            "<p>{}</p><p>Check the spelling, or ask whoever gave it to you.</p>",
            escape(text)
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

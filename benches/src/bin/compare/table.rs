//! The figures, as a table in Markdown.

use crate::visitor::{Row, Transfer};

pub(crate) fn print(rows: &[Row]) {
    println!("\nMB/s; in parentheses the share of raw. The visitor downloads from the agent.\n");
    println!("| visitor | agent | download raw | HTTP | upload raw | HTTP |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {:.0} | {} | {:.0} | {} |",
            row.visitor.name(),
            row.agent.name(),
            row.raw_download.rate,
            share(row.http_download, row.raw_download),
            row.raw_upload.rate,
            share(row.http_upload, row.raw_upload),
        );
    }
    println!(
        "\nProcessor milliseconds for each MB over HTTP, visitor/agent; the rest at the agent.\n"
    );
    println!(
        "| visitor | agent | download | upload | requests/s one by one | 32 at a time | offer to \
         first byte | KiB an idle session | KiB 100 streams |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {:.0} | {:.0} | {:.1} ms | {:.0} | {:.0} |",
            row.visitor.name(),
            row.agent.name(),
            cost(row.http_download),
            cost(row.http_upload),
            row.sequential,
            row.parallel,
            row.setup.as_secs_f64() * 1e3,
            row.idle_session,
            row.streams,
        );
    }
}

fn share(http: Transfer, raw: Transfer) -> String {
    format!("{:.0} ({:.2})", http.rate, http.rate / raw.rate)
}

fn cost(transfer: Transfer) -> String {
    format!("{:.1}/{:.1}", transfer.visitor_cost, transfer.agent_cost)
}

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::{Part, Reader, Start};

/// Reads it in pieces of one length. Bodies are joined.
fn read(mut reader: Reader, text: &str, piece: usize) -> Vec<String> {
    let mut parts = Vec::<String>::new();
    for piece in text.as_bytes().chunks(piece) {
        reader.push(piece);
        while let Some(part) = reader.next_part().unwrap() {
            let (mark, text) = match part {
                Part::Head(head) => match head.start {
                    Start::Request { method, target } => ("head ", format!("{method} {target}")),
                    Start::Response { status } => ("head ", status.to_string()),
                },
                Part::Data(data) => ("data ", String::from_utf8(data.to_vec()).unwrap()),
                Part::Other(data) => ("other ", String::from_utf8(data.to_vec()).unwrap()),
                Part::End => ("end", String::new()),
            };
            match parts.last_mut() {
                Some(last) if mark != "head " && mark != "end" && last.starts_with(mark) => {
                    last.push_str(&text);
                }
                _ => parts.push(format!("{mark}{text}")),
            }
        }
    }
    parts
}

#[test]
fn responses_are_read_however_they_come() {
    let text = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
                HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
                HTTP/1.1 204 No Content\r\n\r\n\
                HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n\
                3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\ndigest: none\r\n\r\n\
                HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\
                frames";
    let expected = [
        "head 103",
        "end",
        "head 200",
        "data hello",
        "end",
        "head 204",
        "end",
        "head 201",
        "data abc0123456789",
        "end",
        "head 101",
        "other frames",
    ];
    for piece in 1..text.len() {
        assert_eq!(read(Reader::responses(), text, piece), expected, "{piece}");
    }
}

#[test]
fn requests_are_read_however_they_come() {
    let text = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n\
                POST /c HTTP/1.1\r\ncontent-length: 3\r\n\r\nxyz\
                GET /d HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\
                frames";
    let expected = [
        "head GET /a",
        "end",
        "head POST /c",
        "data xyz",
        "end",
        "head GET /d",
        "other frames",
    ];
    for piece in 1..text.len() {
        assert_eq!(read(Reader::requests(), text, piece), expected, "{piece}");
    }
}

#[test]
fn what_is_no_http_is_refused() {
    for text in [
        "\0\0\0\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
    ] {
        let mut reader = Reader::requests();
        reader.push(text.as_bytes());
        let refused = (0..3).any(|_| reader.next_part().is_err());
        assert!(refused, "{text:?}");
    }
}

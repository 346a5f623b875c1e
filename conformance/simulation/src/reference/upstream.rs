//! The app behind the reference traces. Hyper's server has neither early hints nor fragments of
//! messages, so that this one writes its answers itself.

use std::{io, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{
            Role,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};
use turmoil::net::{TcpListener, TcpStream};

use crate::{
    app,
    http1::{Head, Part, Reader, Start},
};

const PAGE: &str = "\
HTTP/1.1 103 Early Hints\r
link: </app.css>; rel=preload; as=style\r
\r
HTTP/1.1 200 OK\r
content-type: text/html\r
content-length: 53\r
\r
<!doctype html><title>Recipes</title><h1>Recipes</h1>";

const ENDLESS: &str = "\
HTTP/1.1 200 OK\r
content-type: text/plain\r
transfer-encoding: chunked\r
\r
";

const NOT_FOUND: &str = "\
HTTP/1.1 404 Not Found\r
content-length: 0\r
\r
";

/// Between two lines of what has no end.
const SLOWLY: Duration = Duration::from_millis(50);

/// Serves a page, an upload, a text without end and an echo.
///
/// # Errors
/// When the port is taken. Otherwise it does not return.
pub(super) async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", app::PORT)).await?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let mut connection = Connection {
                stream,
                reader: Reader::requests(),
            };
            while matches!(connection.answer().await, Ok(true)) {}
        });
    }
}

type Ended = Box<dyn std::error::Error + Send + Sync>;

struct Connection {
    stream: TcpStream,
    reader: Reader,
}

impl Connection {
    /// Answers one request; `false`: there was none any more.
    async fn answer(&mut self) -> Result<bool, Ended> {
        let Some(Part::Head(head)) = self.next_part().await? else {
            return Ok(false);
        };
        let Start::Request { method, target } = &head.start else {
            return Ok(false);
        };
        if target == "/socket" {
            self.echo(&head).await?;
            return Ok(false);
        }
        let mut received = 0;
        loop {
            match self.next_part().await? {
                Some(Part::Data(data)) => received += data.len(),
                Some(Part::End) => break,
                _ => return Ok(false),
            }
        }
        match (&method[..], &target[..]) {
            ("GET", "/") => self.write(PAGE).await?,
            ("POST", "/upload") => self.write(&receipt(received)).await?,
            ("GET", "/endless") => self.go_on().await?,
            _ => self.write(NOT_FOUND).await?,
        }
        Ok(true)
    }

    async fn next_part(&mut self) -> Result<Option<Part>, Ended> {
        loop {
            let part = self.reader.next_part().map_err(|error| error.to_string())?;
            if part.is_some() {
                return Ok(part);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await? {
                0 => return Ok(None),
                length => self.reader.push(&buffer[..length]),
            }
        }
    }

    async fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    /// Until the agent hangs up.
    async fn go_on(&mut self) -> io::Result<()> {
        self.write(ENDLESS).await?;
        for number in 1_u32.. {
            let line = format!("line {number}\n");
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            self.write(&chunk).await?;
            sleep(SLOWLY).await;
        }
        Ok(())
    }

    /// Gives every message back, a binary one in two halves.
    async fn echo(&mut self, head: &Head) -> Result<(), Ended> {
        let key = head.field("sec-websocket-key").unwrap_or_default();
        let accept = derive_accept_key(key);
        let switch = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\nsec-websocket-protocol: v1.echo\r\n\r\n"
        );
        self.write(&switch).await?;
        let mut socket =
            WebSocketStream::from_raw_socket(&mut self.stream, Role::Server, None).await;
        while let Some(message) = socket.next().await {
            match message? {
                Message::Binary(data) => {
                    let half = data.len() / 2;
                    let begin = (Data::Binary, data.slice(..half), false);
                    let end = (Data::Continue, data.slice(half..), true);
                    for (kind, data, last) in [begin, end] {
                        let frame = Frame::message(data, OpCode::Data(kind), last);
                        socket.send(Message::Frame(frame)).await?;
                    }
                }
                message @ Message::Text(_) => socket.send(message).await?,
                // Tungstenite answers these itself.
                Message::Close(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(())
    }
}

/// The answer to an upload; its trailers say what nobody has checked.
fn receipt(received: usize) -> String {
    let text = format!("{received} bytes\n");
    format!(
        "HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{text}\r\n0\r\ndigest: sha-256=:none:\r\n\r\n",
        text.len()
    )
}

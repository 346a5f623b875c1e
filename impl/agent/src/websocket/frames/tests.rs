#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use super::*;

async fn read(bytes: &[u8]) -> Vec<Result<Incoming, String>> {
    let mut reader = FrameReader::new(bytes, Side::Client);
    let mut seen = Vec::new();
    loop {
        match reader.next().await {
            Ok(Incoming::Close(close)) => {
                seen.push(Ok(Incoming::Close(close)));
                return seen;
            }
            Ok(incoming) => seen.push(Ok(incoming)),
            Err(ReadError::Gone(_)) => return seen,
            Err(ReadError::Broken(what)) => {
                seen.push(Err(what.to_owned()));
                return seen;
            }
        }
    }
}

fn part(kind: MessageKind, last: bool, data: &'static [u8]) -> Result<Incoming, String> {
    let data = Bytes::from_static(data);
    Ok(Incoming::Part { kind, last, data })
}

#[tokio::test]
async fn frames_become_parts() {
    use MessageKind::{Binary, Text};
    let bytes = [
        &[0x81, 2, b'h', b'i'][..],
        &[0x81, 0],
        // A binary message in three frames, one of them empty, with a ping between.
        &[0x02, 1, 1],
        &[0x89, 1, 9],
        &[0x00, 0],
        &[0x80, 1, 2],
        &[0x8a, 0],
        &[0x88, 5, 0x03, 0xe8, b'b', b'y', b'e'],
    ]
    .concat();
    let close = Close::new(1000, "bye").unwrap();
    assert_eq!(
        read(&bytes).await,
        [
            part(Text, true, b"hi"),
            part(Text, true, b""),
            part(Binary, false, &[1]),
            Ok(Incoming::Ping(Bytes::from_static(&[9]))),
            part(Binary, true, &[2]),
            Ok(Incoming::Close(close)),
        ]
    );
}

/// Wherever the bytes are cut, the messages are the same.
#[tokio::test]
async fn pieces_do_not_matter() {
    let mut bytes = vec![0x82, 126, 0x01, 0x2c];
    bytes.extend([7; 300]);
    bytes.extend([0x81, 3, 0xe6, 0xb0, 0xb4, 0x88, 0]);
    for size in 1..bytes.len() {
        let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let mut reader = FrameReader::new(Pieces(pieces), Side::Client);
        let mut whole: Vec<Vec<u8>> = vec![Vec::new()];
        loop {
            match reader.next().await.unwrap() {
                Incoming::Part { last, data, .. } => {
                    whole.last_mut().unwrap().extend_from_slice(&data);
                    if last {
                        whole.push(Vec::new());
                    }
                }
                Incoming::Close(close) => {
                    assert_eq!(close, Close::NONE);
                    break;
                }
                Incoming::Ping(_) => {}
            }
        }
        assert_eq!(whole, [vec![7; 300], "水".as_bytes().to_vec(), Vec::new()]);
    }
}

/// A source that hands out one piece at each read.
struct Pieces(std::collections::VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        out: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        if let Some(piece) = self.0.pop_front() {
            out.put_slice(&piece);
        }
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn broken_rules_are_found() {
    for bytes in [
        &[0xc1, 0][..],               // a reserved bit
        &[0x83, 0],                   // a reserved kind
        &[0x8b, 0],                   // a reserved control frame
        &[0x81, 0x80, 1, 2, 3, 4],    // a mask
        &[0x80, 0],                   // the end of no message
        &[0x01, 0, 0x82, 0],          // another kind within a message
        &[0x09, 0],                   // a ping in parts
        &[0x89, 126, 0, 126],         // a long ping
        &[0x88, 1, 3],                // half a code
        &[0x88, 2, 0x03, 0xed],       // a code that does not travel
        &[0x88, 3, 0x03, 0xe8, 0xff], // a reason that is no text
    ] {
        let seen = read(bytes).await;
        assert!(
            matches!(seen.last(), Some(Err(_))),
            "{bytes:02x?}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_long_message_is_not_held() {
    let mut bytes = vec![0x82, 127];
    bytes.extend((1_u64 << 20).to_be_bytes());
    bytes.resize(bytes.len() + (1 << 20), 7);
    let mut reader = FrameReader::new(&bytes[..], Side::Client);
    let mut total = 0;
    loop {
        let Incoming::Part { last, data, .. } = reader.next().await.unwrap() else {
            panic!("only a message");
        };
        assert!(
            data.len() <= 2 * READ_BUFFER,
            "{} bytes at once",
            data.len()
        );
        total += data.len();
        if last {
            break;
        }
    }
    assert_eq!(total, 1 << 20);
}

#[tokio::test]
async fn own_frames_are_masked_and_keep_their_message() {
    let mut bytes = Vec::new();
    let mut writer = FrameWriter::new(&mut bytes, Side::Client);
    let data = Bytes::from_static(b"abc");
    writer
        .part(MessageKind::Text, false, data.clone())
        .await
        .unwrap();
    writer
        .part(MessageKind::Text, true, Bytes::new())
        .await
        .unwrap();
    writer.pong(data).await.unwrap();
    writer.close(&Close::NONE).await.unwrap();
    let heads = [bytes[0], bytes[9], bytes[15], bytes[24]];
    assert_eq!(heads, [0x01, 0x80, 0x8a, 0x88]);
    assert_eq!(bytes[1], 0x83, "three bytes, masked");
    let unmasked: Vec<u8> = (0..3).map(|at| bytes[6 + at] ^ bytes[2 + at]).collect();
    assert_eq!(unmasked, b"abc");
}

/// A frame that was given up half-way is finished before the next one begins.
#[tokio::test]
async fn a_close_never_lands_within_a_frame() {
    let (near, mut far) = tokio::io::duplex(8);
    let mut writer = FrameWriter::new(near, Side::Client);
    let data = Bytes::from(vec![7; 100]);
    let stuck = writer.part(MessageKind::Binary, true, data);
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), stuck).await;
    assert!(given_up.is_err(), "the pipe holds 8 bytes");
    let close = Close::new(1001, "").unwrap();
    let second = Close::new(1000, "").unwrap();
    let closing = tokio::spawn(async move {
        writer.close(&close).await.unwrap();
        writer.close(&second).await.unwrap();
    });
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut far, &mut bytes)
        .await
        .unwrap();
    closing.await.unwrap();
    assert_eq!(bytes[..2], [0x82, 0x80 | 100]);
    let behind = 2 + 4 + 100;
    assert_eq!(
        bytes[behind..behind + 2],
        [0x88, 0x82],
        "a close of its own"
    );
    assert_eq!(bytes.len(), behind + 2 + 4 + 2, "and only one");
}

/// Short messages do not keep the buffer that they came in.
#[tokio::test]
async fn short_pieces_are_copied() {
    let bytes = [&[0x82, 1, 9][..], &[0x82, 1, 8]].concat();
    let mut reader = FrameReader::new(&bytes[..], Side::Client);
    let mut pieces = Vec::new();
    while let Ok(Incoming::Part { data, .. }) = reader.next().await {
        pieces.push(data);
    }
    let distance = pieces[0]
        .as_ptr()
        .addr()
        .abs_diff(pieces[1].as_ptr().addr());
    assert!(pieces.iter().all(|piece| piece.len() == 1));
    assert_ne!(distance, 3, "they would share one buffer");
}

/// What a server reads: the same messages, with masks taken off wherever the bytes are cut.
#[tokio::test]
async fn a_server_takes_masks_off() {
    let mut bytes = Vec::new();
    let mut client = FrameWriter::new(&mut bytes, Side::Client);
    let long: Vec<u8> = (0..=250).cycle().take(5_000).collect();
    let close = Close::new(1000, "bye").unwrap();
    client
        .part(MessageKind::Binary, true, Bytes::from(long.clone()))
        .await
        .unwrap();
    client
        .part(MessageKind::Text, true, Bytes::from_static(b"hi"))
        .await
        .unwrap();
    client.close(&close).await.unwrap();
    for size in [1, 2, 3, 5, 7, 1_000, bytes.len()] {
        let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let mut server = FrameReader::new(Pieces(pieces), Side::Server);
        let mut messages = vec![Vec::new()];
        let end = loop {
            match server.next().await.unwrap() {
                Incoming::Part { last, data, .. } => {
                    messages.last_mut().unwrap().extend_from_slice(&data);
                    if last {
                        messages.push(Vec::new());
                    }
                }
                Incoming::Close(close) => break close,
                Incoming::Ping(_) => panic!("nobody pings"),
            }
        };
        assert_eq!(messages, [long.clone(), b"hi".to_vec(), Vec::new()]);
        assert_eq!(end, close);
    }
}

#[tokio::test]
async fn a_server_does_not_mask_and_wants_masks() {
    let mut bytes = Vec::new();
    let mut server = FrameWriter::new(&mut bytes, Side::Server);
    server
        .part(MessageKind::Text, true, Bytes::from_static(b"hi"))
        .await
        .unwrap();
    assert_eq!(bytes, [0x81, 2, b'h', b'i']);
    let mut reader = FrameReader::new(&bytes[..], Side::Server);
    assert!(matches!(reader.next().await, Err(ReadError::Broken(_))));
}

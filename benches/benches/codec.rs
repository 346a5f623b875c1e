//! Encoding and decoding of single frames: a full DATA frame and a small REQUEST.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use p2claw_proto::v1 as proto;
use p2claw_session::StreamId;
use p2claw_session::frame::Frame;

/// A frame of the default size, less its header.
const BODY: usize = 16_384 - 3;

fn stream() -> StreamId {
    StreamId::new(101).expect("101 is a stream")
}

fn data() -> Frame {
    Frame::Data {
        stream: stream(),
        data: Bytes::from(vec![0x5a; BODY]),
    }
}

fn request() -> Frame {
    let fields = [
        ("accept", "text/html,application/xhtml+xml;q=0.9"),
        ("accept-encoding", "gzip"),
        ("accept-language", "en"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0)"),
        ("cookie", "session=0123456789abcdef"),
    ];
    let field = |(name, value): (&str, &'static str)| proto::Field {
        name: name.to_owned(),
        value: Bytes::from_static(value.as_bytes()),
    };
    Frame::Request {
        stream: stream(),
        head: proto::Request {
            method: "GET".into(),
            target: "/assets/app.js?v=1".into(),
            fields: fields.map(field).to_vec(),
            end: true,
            ..Default::default()
        },
    }
}

fn codec(criterion: &mut Criterion) {
    for (name, frame) in [("data_16k", data()), ("request", request())] {
        let encoded = frame.encode();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(encoded.len() as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| black_box(&frame).encode())
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| Frame::decode(black_box(encoded.clone())));
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);

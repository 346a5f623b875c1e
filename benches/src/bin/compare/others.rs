//! What others carry on the same machine in the same run, where they are installed.

use std::{env, path::PathBuf, time::Instant};

use p2claw_benches::stage::Failure;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
};

/// The peers of libdatachannel, in JavaScript.
const LIBDATACHANNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/libdatachannel.mjs");

pub(crate) async fn print(megabytes: usize) {
    println!("\nOthers, MB/s:\n");
    match libdatachannel(megabytes).await {
        Ok(rate) => println!("- libdatachannel, raw: {rate:.0}"),
        Err(error) => println!("- libdatachannel: not measured: {error}"),
    }
    match bore(megabytes).await {
        Ok(rate) => println!("- bore, a TCP tunnel without encryption: {rate:.0}"),
        Err(error) => println!("- bore: not measured: {error}"),
    }
}

async fn libdatachannel(megabytes: usize) -> Result<f64, Failure> {
    let folder = env::var_os("NODE_DATACHANNEL").map(PathBuf::from);
    let folder = folder.ok_or("NODE_DATACHANNEL names no folder with node-datachannel")?;
    let output = Command::new("node")
        .arg(LIBDATACHANNEL)
        .arg(folder)
        .arg(megabytes.to_string())
        .output()
        .await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// A download through `bore server` and `bore local` on this machine.
async fn bore(megabytes: usize) -> Result<f64, Failure> {
    let app = TcpListener::bind("127.0.0.1:0").await?;
    let port = app.local_addr()?.port();
    let mut server = Command::new("bore")
        .args([
            "server",
            "--bind-addr",
            "127.0.0.1",
            "--min-port",
            "20000",
            "--max-port",
            "20999",
        ])
        .kill_on_drop(true)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let public = 20_777;
    let mut client = Command::new("bore")
        .args([
            "local",
            &port.to_string(),
            "--to",
            "127.0.0.1",
            "--port",
            &public.to_string(),
        ])
        .kill_on_drop(true)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let bytes = megabytes * 1_000_000;
    let serve = tokio::spawn(async move {
        let (mut stream, _) = app.accept().await?;
        let piece = vec![0; 64 * 1024];
        let mut left = bytes;
        while left > 0 {
            let length = left.min(piece.len());
            stream.write_all(&piece[..length]).await?;
            left -= length;
        }
        stream.shutdown().await
    });
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", public)).await {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    let mut buffer = vec![0; 64 * 1024];
    let (mut received, mut start) = (0, None);
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        start.get_or_insert_with(Instant::now);
        received += length;
    }
    serve.await??;
    client.kill().await?;
    server.kill().await?;
    let took = start.map_or(0.0, |start: Instant| start.elapsed().as_secs_f64());
    let megabytes = f64::from(u32::try_from(received)?) / 1e6;
    Ok(megabytes / took)
}

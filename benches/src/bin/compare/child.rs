//! The other process, and what is said to it: one line of JSON each way.

use std::process::Stdio;

use p2claw_benches::{stack::Stack, stage::Failure};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// What the agent's end is to do with an offer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Send so many bytes, without a session.
    RawDownload(usize),
    /// Take so many bytes, without a session.
    RawUpload(usize),
    /// Serve a session.
    Session,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) offer: String,
    pub(crate) work: Work,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) answer: String,
}

pub(crate) struct Agent {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Agent {
    pub(crate) fn start(stack: Stack) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["agent", stack.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().ok_or("the child has no input")?;
        let output = process.stdout.take().ok_or("the child has no output")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Hands over an offer; the answer to it.
    pub(crate) async fn order(&mut self, offer: String, work: Work) -> Result<String, Failure> {
        let mut line = serde_json::to_vec(&Order { offer, work })?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        let line = self
            .output
            .next_line()
            .await?
            .ok_or("the child has ended")?;
        let answer: Answer = serde_json::from_str(&line)?;
        Ok(answer.answer)
    }
}

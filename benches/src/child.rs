//! A process that is measured: the same program once more, with the agent's end. What the two say to
//! each other is one line of JSON each way.

use std::process::Stdio;

use clap::Subcommand;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, Lines, Stdin, Stdout},
    process::{ChildStdin, ChildStdout, Command},
};

use crate::{stack::Stack, stage::Failure};

/// What a program that has a child is started with, as that child.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum AsChild {
    /// The other end, started by this program itself
    #[command(hide = true)]
    Agent {
        /// Its stack
        stack: Stack,
    },
}

/// The child, as its parent sees it; dropping it ends it.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no process.
    pub fn start(stack: Stack) -> Result<Self, Failure> {
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

    /// Its number; 0 once it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Says something, and waits for the answer.
    ///
    /// # Errors
    /// When the child has ended, or answers something else.
    pub async fn ask<T: DeserializeOwned>(&mut self, what: &impl Serialize) -> Result<T, Failure> {
        write(&mut self.input, what).await?;
        self.listen().await
    }

    /// Waits for what it says by itself.
    ///
    /// # Errors
    /// When it has ended, or says something else.
    pub async fn listen<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let line = self.output.next_line().await?;
        Ok(serde_json::from_str(&line.ok_or("the child has ended")?)?)
    }
}

/// The parent, as its child sees it.
#[derive(Debug)]
pub struct Parent {
    input: Lines<BufReader<Stdin>>,
    output: Stdout,
}

impl Parent {
    /// By standard input and output.
    #[must_use]
    pub fn new() -> Self {
        Self {
            input: BufReader::new(tokio::io::stdin()).lines(),
            output: tokio::io::stdout(),
        }
    }

    /// Waits for its next word. `None`: it wants no more.
    ///
    /// # Errors
    /// When it says something else.
    pub async fn listen<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        let line = self.input.next_line().await?;
        Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
    }

    /// Tells it something.
    ///
    /// # Errors
    /// When it has gone.
    pub async fn tell(&mut self, what: &impl Serialize) -> Result<(), Failure> {
        write(&mut self.output, what).await
    }
}

impl Default for Parent {
    fn default() -> Self {
        Self::new()
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await?;
    Ok(())
}

//! `fetch`: one request to an app, as curl makes it.

mod body;
mod decode;
mod plan;
mod report;
mod sink;

use std::time::Duration;

use p2claw_agent::connection::{RecvBody, StreamError};
use p2claw_session::{ErrorCode, Response};
use p2claw_visitor::{Address, Visit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    body::Upload,
    decode::Decoder,
    plan::Plan,
    report::{Report, Trace},
    sink::Sink,
};
use crate::{
    args::FetchArguments,
    commands::visiting::{unvisited, visitor},
    exit::{self, Coded, CommandError},
    output,
};

/// Exit codes, curl's where it has one (see `FETCH_CODES` in the arguments).
mod code {
    pub(super) const BROKEN_OFF: u8 = 18;
    pub(super) const STATUS: u8 = 22;
    pub(super) const OUTPUT: u8 = 23;
    pub(super) const INPUT: u8 = 26;
    pub(super) const TIME: u8 = 28;
    pub(super) const REDIRECTS: u8 = 47;
    pub(super) const INTERRUPTED: u8 = 130;
}

/// How long a parting word is waited for that has left: the acknowledgement alone takes SCTP 200 ms.
const PARTING: Duration = Duration::from_millis(50);

/// What an error of the app's is allowed to say before `--fail` gives it up.
const ERROR_STATUS: u16 = 400;

fn coded(code: u8, what: impl Into<CommandError>) -> CommandError {
    let what = Some(what.into());
    Coded { code, what }.into()
}

pub(crate) async fn run(arguments: FetchArguments, verbose: u8) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let began = Instant::now();
    let end = End {
        at: arguments.max_time.map(|limit| began + limit),
        shutdown,
    };
    let result = fetch(
        &arguments,
        Trace(verbose > 0 && !arguments.silent),
        began,
        &end,
    )
    .await;
    match result {
        Err(error) if arguments.silent => Err(quiet(error)),
        result => result,
    }
}

/// What ends a command before its time.
struct End {
    at: Option<Instant>,
    shutdown: CancellationToken,
}

impl End {
    /// Does the work unless something ends it.
    async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let over = async {
            match self.at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = work => result,
            () = over => Err(coded(code::TIME, "be done in time: --max-time is over")),
            () = self.shutdown.cancelled() => Err(Coded { code: code::INTERRUPTED, what: None }.into()),
        }
    }
}

/// The same exit code, without a word.
fn quiet(error: CommandError) -> CommandError {
    let code = error.downcast_ref().map_or(1, |coded: &Coded| coded.code);
    Coded { code, what: None }.into()
}

async fn fetch(
    arguments: &FetchArguments,
    trace: Trace,
    began: Instant,
    end: &End,
) -> Result<(), CommandError> {
    let mut plan = Plan::new(arguments)?;
    let visitor = visitor(&arguments.state, &arguments.stack, &arguments.url)?;
    let visiting = async { visitor.visit(&arguments.url).await.map_err(unvisited) };
    let visit = end.or(visiting).await?;
    trace.connected(&visit);
    let talk = end.or(talk(&visit, arguments, &mut plan, trace)).await;
    let result = talk.and_then(|mut report| {
        report.finish(&visit, began.elapsed());
        match arguments.json {
            true => output::json(&report),
            false => Ok(()),
        }
    });
    // Whether the word has come, only the next one would tell.
    visit.leave(PARTING).await;
    result
}

/// Asks, and writes the response.
async fn talk(
    visit: &Visit,
    arguments: &FetchArguments,
    plan: &mut Plan,
    trace: Trace,
) -> Result<Report, CommandError> {
    let answer = ask(visit, arguments, plan, trace).await?;
    let status = answer.response.status;
    if arguments.fail && status >= ERROR_STATUS {
        return Err(coded(
            code::STATUS,
            format!("get {}: the app answered {status}", answer.address),
        ));
    }
    let mut report = Report::new(visit, &answer.address, &answer.response);
    report.redirects = answer.redirects;
    report.timings.first_byte = report::millis(answer.first_byte);
    report.bytes = receive(arguments, answer).await?;
    Ok(report)
}

/// A response whose body has not come yet.
struct Answer {
    address: Address,
    response: Response,
    body: RecvBody,
    upload: Upload,
    redirects: usize,
    /// From the request to the response's head.
    first_byte: Duration,
}

/// Asks, and follows redirects where that was wished.
async fn ask(
    visit: &Visit,
    arguments: &FetchArguments,
    plan: &mut Plan,
    trace: Trace,
) -> Result<Answer, CommandError> {
    let mut address = arguments.url.clone();
    let mut redirects = 0;
    loop {
        let asked = Instant::now();
        let request = plan.request(&address)?;
        trace.request(&request);
        let exchange = visit.open(request).await;
        let exchange = exchange.map_err(|error| format!("ask the app: {error}"))?;
        let mut upload = Upload::start(plan.sources(), exchange.body);
        let mut body = exchange.response;
        let response = first_answer(&mut body, &mut upload, trace).await?;
        let next = match arguments.location && plan::is_redirect(response.status) {
            true => redirect(&address, &response)?,
            false => None,
        };
        let Some(next) = next else {
            return Ok(Answer {
                address,
                response,
                body,
                upload,
                redirects,
                first_byte: asked.elapsed(),
            });
        };
        if redirects == arguments.max_redirs {
            return Err(coded(
                code::REDIRECTS,
                format!("follow more than {redirects} redirects; --max-redirs allows more"),
            ));
        }
        redirects += 1;
        plan.redirected(response.status)
            .map_err(|error| coded(code::INPUT, error))?;
        address = next;
    }
}

/// Waits for the response's head, while the request's body leaves.
async fn first_answer(
    response: &mut RecvBody,
    upload: &mut Upload,
    trace: Trace,
) -> Result<Response, CommandError> {
    let head = async {
        loop {
            let head = response.head().await?;
            trace.response(&head);
            if !head.is_informational() {
                return Ok::<_, StreamError>(head);
            }
        }
    };
    let head = tokio::select! {
        head = head => head,
        what = upload.failed() => return Err(coded(code::INPUT, what)),
    };
    head.map_err(|error| broken(&error, upload, ""))
}

/// Where a redirect leads within the app; `None`: nowhere, or to somebody else.
fn redirect(address: &Address, response: &Response) -> Result<Option<Address>, CommandError> {
    let Some(location) = response.fields.get("location") else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location);
    let next = address.join(&location)?;
    if next.is_none() {
        output::note(format_args!(
            "the app redirects to another site, which is not followed: {location}"
        ));
    }
    Ok(next)
}

/// Writes the response; the bytes that came, before decoding.
async fn receive(arguments: &FetchArguments, answer: Answer) -> Result<u64, CommandError> {
    let Answer {
        response,
        mut body,
        // What is left of the request goes on until the response is complete.
        upload,
        ..
    } = answer;
    let mut sink = Sink::open(arguments).await.map_err(unwritten)?;
    if arguments.include || (arguments.head && !arguments.json) {
        sink.write(report::head(&response).as_bytes())
            .await
            .map_err(unwritten)?;
    }
    let mut decoder = Decoder::for_response(arguments.compressed, &response);
    let mut bytes = 0;
    loop {
        let data = match body.data().await {
            Ok(Some(data)) => data,
            Ok(None) => break,
            Err(error) => return Err(broken(&error, &upload, &sink.leftover())),
        };
        bytes += data.len() as u64;
        let decoded = decoder.decode(&data).map_err(undecoded)?;
        if !sink.write(&decoded).await.map_err(unwritten)? {
            // Whoever read it wants no more.
            body.stop(ErrorCode::CANCELLED);
            return Ok(bytes);
        }
    }
    let rest = decoder.finish().map_err(undecoded)?;
    sink.write(&rest).await.map_err(unwritten)?;
    sink.finish().await.map_err(unwritten)?;
    Ok(bytes)
}

/// Why there is no whole response: because the request could not be read, or by the other end.
fn broken(error: &StreamError, upload: &Upload, leftover: &str) -> CommandError {
    match upload.failure() {
        Some(what) => coded(code::INPUT, what),
        None => coded(code::BROKEN_OFF, format!("{error}{leftover}")),
    }
}

fn unwritten(error: CommandError) -> CommandError {
    coded(code::OUTPUT, error)
}

fn undecoded(error: std::io::Error) -> CommandError {
    coded(
        code::BROKEN_OFF,
        format!("decode the response: {error}; try without --compressed"),
    )
}

//! The recipe board: cards in memory, and a live stream of what is new.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::now_ms;

/// Cards kept; the oldest goes first.
const MAX_NOTES: usize = 100;
/// Longest name and longest text, characters: what fits on a card.
const MAX_AUTHOR: usize = 40;
const MAX_TEXT: usize = 1_000;
/// Largest JSON body of a new card, bytes: both texts in four-byte characters, and the syntax.
const MAX_BODY: usize = 8 * 1024;
const _: () = assert!(MAX_BODY > 4 * (MAX_AUTHOR + MAX_TEXT) + 256);
/// Cards that a slow listener may lag behind before it misses some.
const LIVE_QUEUE: usize = 64;
/// Time between ticks: the default, and what a listener may ask for, milliseconds.
const TICK_MS: u64 = 1_000;
const TICK_MS_RANGE: std::ops::RangeInclusive<u64> = 20..=60_000;

/// A card on the board.
#[derive(Debug, Clone, Serialize)]
struct Note {
    id: u64,
    author: String,
    text: String,
    /// When it was pinned up, Unix milliseconds.
    at: u64,
}

#[derive(Debug, Deserialize)]
struct NewNote {
    #[serde(default)]
    author: String,
    text: String,
}

/// The cards and those who listen for new ones.
#[derive(Debug)]
pub(super) struct Board {
    notes: Mutex<VecDeque<Note>>,
    live: broadcast::Sender<Note>,
}

impl Board {
    /// A board with a few cards on it, so that a first visitor has something to read.
    pub(super) fn with_recipes() -> Self {
        let recipes = [
            (
                "Marta",
                "Tomato toast. Rub warm bread with garlic and half a tomato, then oil and salt. Ten minutes, no more.",
            ),
            (
                "Jun",
                "Miso aubergine: halve, score, roast 25 min at 200 °C, brush with miso and honey, five minutes more.",
            ),
            (
                "Ola",
                "Sunday rye: 500 g rye, 400 ml water, 100 g starter, 10 g salt. Wait overnight, bake for an hour.",
            ),
        ];
        let board = Self {
            notes: Mutex::default(),
            live: broadcast::Sender::new(LIVE_QUEUE),
        };
        for (author, text) in recipes {
            board.add(author.to_owned(), text.to_owned());
        }
        board
    }

    fn add(&self, author: String, text: String) -> Note {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let note = Note {
            id: notes.back().map_or(1, |last| last.id + 1),
            author,
            text,
            at: now_ms(),
        };
        notes.push_back(note.clone());
        if notes.len() > MAX_NOTES {
            notes.pop_front();
        }
        // Sent under the lock, so that listeners see the cards in the order of their numbers.
        // Nobody listening is no error.
        let _ = self.live.send(note.clone());
        note
    }

    fn all(&self) -> Vec<Note> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().cloned().collect()
    }
}

#[derive(Debug, Clone)]
struct Live {
    board: Arc<Board>,
    shutdown: CancellationToken,
}

pub(super) fn routes(board: Board, shutdown: CancellationToken) -> Router {
    let live = Live {
        board: Arc::new(board),
        shutdown,
    };
    Router::new()
        .route("/api/notes", get(list).post(create))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .route("/api/events", get(events))
        .with_state(live)
}

#[derive(Debug, Serialize)]
struct Notes {
    notes: Vec<Note>,
}

async fn list(State(live): State<Live>) -> Json<Notes> {
    Json(Notes {
        notes: live.board.all(),
    })
}

async fn create(
    State(live): State<Live>,
    body: Result<Json<NewNote>, JsonRejection>,
) -> Result<(StatusCode, Json<Note>), Response> {
    let Json(new) = body.map_err(|error| refuse(error.status(), &error.body_text()))?;
    let author = new.author.trim();
    let text = new.text.trim();
    let author = if author.is_empty() { "A guest" } else { author };
    if text.is_empty() {
        return Err(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the card is empty",
        ));
    }
    if author.chars().count() > MAX_AUTHOR || text.chars().count() > MAX_TEXT {
        let limit = format!("at most {MAX_AUTHOR} characters of name and {MAX_TEXT} of text");
        return Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, &limit));
    }
    let note = live.board.add(author.to_owned(), text.to_owned());
    Ok((StatusCode::CREATED, Json(note)))
}

#[derive(Debug, Serialize)]
struct Refusal<'a> {
    error: &'a str,
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(Refusal { error })).into_response()
}

#[derive(Debug, Deserialize)]
struct EventsQuery {
    /// Milliseconds between ticks.
    every: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Tick {
    tick: u64,
    /// Open live streams, this one included.
    listeners: usize,
    /// When the server wrote it, Unix milliseconds.
    at: u64,
}

#[derive(Debug, Serialize)]
struct Pinned {
    note: Note,
    at: u64,
}

/// One listener: a tick at once and then at every interval, and each new card as it comes.
struct Listener {
    board: Arc<Board>,
    news: broadcast::Receiver<Note>,
    interval: Interval,
    ticks: u64,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                _ = self.interval.tick() => {
                    self.ticks += 1;
                    let tick = Tick {
                        tick: self.ticks,
                        listeners: self.board.live.receiver_count(),
                        at: now_ms(),
                    };
                    return Event::default().event("tick").json_data(tick).ok();
                }
                news = self.news.recv() => match news {
                    Ok(note) => {
                        let id = note.id.to_string();
                        let pinned = Pinned { note, at: now_ms() };
                        return Event::default().event("note").id(id).json_data(pinned).ok();
                    }
                    // The page reads the whole list again when it sees a gap in the numbers.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

async fn events(State(live): State<Live>, Query(query): Query<EventsQuery>) -> Response {
    let every = query.every.unwrap_or(TICK_MS);
    if !TICK_MS_RANGE.contains(&every) {
        let limit = format!(
            "every: {} to {} ms",
            TICK_MS_RANGE.start(),
            TICK_MS_RANGE.end()
        );
        return refuse(StatusCode::BAD_REQUEST, &limit);
    }
    let mut interval = tokio::time::interval(Duration::from_millis(every));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener {
        news: live.board.live.subscribe(),
        board: live.board,
        interval,
        ticks: 0,
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    let stream = follow(listener).take_until(live.shutdown.cancelled_owned());
    (headers, Sse::new(stream)).into_response()
}

fn follow(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })
}

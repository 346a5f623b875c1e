//! What was found, for people and for programs.

use serde::Serialize;
use serde_json::{Value, json};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Visits work, or would, but not for everybody or not for long.
    Warning,
    /// This prevents visits.
    Failed,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    Machine,
    Coord,
    Servers,
    Nat,
    Apps,
}

impl Group {
    const fn title(self) -> &'static str {
        match self {
            Self::Machine => "This machine",
            Self::Coord => "Coord",
            Self::Servers => "Servers that help to find a way",
            Self::Nat => "The way between here and the internet",
            Self::Apps => "Apps",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Check {
    pub(crate) group: Group,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was found, in one sentence.
    pub(crate) summary: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
    /// The same for programs, where there are figures or kinds.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) details: Value,
}

impl Check {
    pub(crate) fn ok(group: Group, name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            group,
            name: name.into(),
            verdict: Verdict::Ok,
            summary: summary.into(),
            advice: None,
            details: Value::Null,
        }
    }

    pub(crate) fn warning(
        group: Group,
        name: impl Into<String>,
        summary: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.into()),
            ..Self::ok(group, name, summary)
        }
    }

    pub(crate) fn failed(
        group: Group,
        name: impl Into<String>,
        summary: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Failed,
            ..Self::warning(group, name, summary, advice)
        }
    }

    pub(crate) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

/// All checks, in the order in which they are shown.
#[derive(Debug, Default)]
pub(crate) struct Report(pub(crate) Vec<Check>);

impl Report {
    fn count(&self, verdict: Verdict) -> usize {
        let checks = self.0.iter();
        checks.filter(|check| check.verdict == verdict).count()
    }

    /// Checks that prevent visits.
    pub(crate) fn failures(&self) -> usize {
        self.count(Verdict::Failed)
    }

    /// A line a check, and one more for what to do; lines that are longer than `width`
    /// characters go on below.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let mut lines = Vec::new();
        for checks in self.0.chunk_by(|one, next| one.group == next.group) {
            let names = checks.iter().map(|check| check.name.chars().count());
            let column = names.max().unwrap_or(0);
            lines.extend(checks.first().map(|check| check.group.title().to_owned()));
            for check in checks {
                let (verdict, name) = (check.verdict.word(), &check.name);
                let start = format!("  {verdict:7}  {name:column$}  ");
                let below = " ".repeat(start.chars().count());
                lines.extend(wrap(&start, &below, &check.summary, width));
                if let Some(advice) = &check.advice {
                    let (start, below) = (format!("{below}> "), format!("{below}  "));
                    lines.extend(wrap(&start, &below, advice, width));
                }
            }
            lines.push(String::new());
        }
        lines.push(self.sum());
        lines
    }

    fn sum(&self) -> String {
        let warnings = match self.count(Verdict::Warning) {
            1 => "1 warning".to_owned(),
            count => format!("{count} warnings"),
        };
        let ok = self.count(Verdict::Ok);
        format!("{ok} ok, {warnings}, {} failed", self.failures())
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "ok": self.count(Verdict::Ok),
            "warnings": self.count(Verdict::Warning),
            "failed": self.failures(),
            "checks": self.0,
        })
    }
}

/// Narrower than this nothing is wrapped: a column of single words helps nobody.
const NARROW: usize = 20;

/// Puts `text` behind `start`, and what has no room on lines that begin with `below`.
fn wrap(start: &str, below: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let room = width.map_or(0, |width| width.saturating_sub(length(below)));
    if room < NARROW {
        return vec![format!("{start}{text}")];
    }
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && length(&line) + 1 + length(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let starts = std::iter::once(start).chain(std::iter::repeat(below));
    let lines = lines.iter().zip(starts);
    lines
        .map(|(line, start)| format!("{start}{line}"))
        .collect()
}

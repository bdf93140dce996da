//! The load generator for requests of any kind: a template that is filled with one value per request.
//!
//! Like [`generate`](crate::generate) it uses one thread, and prints `begin` and `end`. A value is a line of
//! a file; its parts are separated by tabs and replace `{0}`, `{1}` … in the template. The generator can keep
//! parts of the responses, such as codes and tokens, for the next measurement.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::generate::{Outcome, Shared, connect, exchange, say};
use crate::http::value_after;

#[derive(Args)]
pub(crate) struct Options {
    /// The address of the server.
    #[arg(long)]
    target: String,
    /// A file with the template, as JSON.
    #[arg(long)]
    template: PathBuf,
    /// A file of values, one per line.
    #[arg(long)]
    values: PathBuf,
    /// How the values are used.
    #[arg(long, value_enum)]
    order: Order,
    /// Where to write what is kept of the responses: a line for each, with tabs between its parts.
    #[arg(long)]
    kept: PathBuf,
    /// The number of connections.
    #[arg(long)]
    connections: usize,
    /// The length of the timed part. It ends sooner if the values are used up.
    #[arg(long)]
    seconds: f64,
    /// Requests due per second. Without it, as many as possible.
    #[arg(long)]
    rate: Option<f64>,
}

/// How values are used.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// One after the other, and again from the first.
    Repeat,
    /// Each once.
    Once,
    /// A connection begins with one, and goes on with what it keeps of each response.
    Chain,
}

impl Order {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// A request with room for the parts of a value, and what its response must be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Template {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// The status that every response must have.
    pub(crate) status: u16,
    /// The text that every response must contain.
    pub(crate) proof: String,
    /// The texts that stand before what is kept of a response.
    pub(crate) kept: Vec<String>,
}

impl Template {
    pub(crate) fn get(path: &str) -> Template {
        Template { method: "GET".to_owned(), path: path.to_owned(), status: 200, ..Template::default() }
    }

    /// A form that is submitted.
    pub(crate) fn post(path: &str, body: &str) -> Template {
        Template::post_as("application/x-www-form-urlencoded", path, body)
    }

    /// A body of this content type.
    pub(crate) fn post_as(content_type: &str, path: &str, body: &str) -> Template {
        let template =
            Template { method: "POST".to_owned(), body: Some(body.to_owned()), ..Template::get(path) };
        template.header("content-type", content_type)
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Template {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub(crate) fn answered(self, status: u16, proof: &str) -> Template {
        Template { status, proof: proof.to_owned(), ..self }
    }

    #[must_use]
    pub(crate) fn keeping(mut self, before: &[&str]) -> Template {
        self.kept.extend(before.iter().map(|text| (*text).to_owned()));
        self
    }

    /// The request with the parts of this value in it.
    pub(crate) fn fill(&self, host: &str, value: &str) -> Vec<u8> {
        let filled = |text: &str| {
            let parts = value.split('\t').enumerate();
            parts.fold(text.to_owned(), |text, (number, part)| text.replace(&format!("{{{number}}}"), part))
        };
        let mut text = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, filled(&self.path));
        for (name, value) in &self.headers {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {}\r\n", filled(value));
        }
        let body = self.body.as_deref().map(filled).unwrap_or_default();
        if self.body.is_some() {
            let _ = write!(text, "content-length: {}\r\n", body.len());
        }
        let _ = write!(text, "\r\n{body}");
        text.into_bytes()
    }
}

pub(crate) fn generate(options: &Options) -> Result<()> {
    let template = std::fs::read_to_string(&options.template).context("the template")?;
    let template: Template = serde_json::from_str(&template)?;
    let values = std::fs::read_to_string(&options.values).context("the file of values")?;
    let requests: Vec<Vec<u8>> =
        values.split('\n').map(|value| template.fill(&options.target, value)).collect();
    ensure!(options.connections > 0, "there is nothing to do");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kept = RefCell::new(Vec::new());
    let outcome = runtime.block_on(drive(options, &template, &requests, &kept))?;
    std::fs::write(&options.kept, kept.take().join("\n"))?;
    say(&format!("end {}", serde_json::to_string(&outcome)?))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn drive(
    options: &Options,
    template: &Template,
    requests: &[Vec<u8>],
    kept: &RefCell<Vec<String>>,
) -> Result<Outcome> {
    let streams = connect(&options.target, options.connections).await?;
    say("begin")?;
    let shared = Shared::begin(requests.len(), options.order != Order::Once, options.seconds, options.rate);
    let load = Load { options, template, requests, shared, kept };
    let each = streams.into_iter().enumerate();
    try_join_all(each.map(|(number, stream)| load.connection(number, stream))).await?;
    Ok(load.shared.outcome())
}

struct Load<'a> {
    options: &'a Options,
    template: &'a Template,
    requests: &'a [Vec<u8>],
    shared: Shared,
    kept: &'a RefCell<Vec<String>>,
}

impl Load<'_> {
    /// One connection that sends request after request.
    async fn connection(&self, number: usize, mut stream: TcpStream) -> Result<()> {
        let chains = self.options.order == Order::Chain;
        let mut own = Vec::new();
        if chains {
            own.clone_from(self.requests.get(number).context("a connection has nothing to begin with")?);
        }
        let mut buffer = Vec::with_capacity(16 * 1024);
        while let Some((index, due)) = self.shared.next() {
            if let Some(due) = due {
                sleep_until(due).await;
            }
            let since = due.unwrap_or_else(Instant::now);
            let request = if chains { &own } else { self.requests.get(index).unwrap_or(&own) };
            let answer = exchange(&mut stream, request, &mut buffer).await?;
            self.shared.answered(since);
            answer.check(&buffer, self.template.status, &self.template.proof)?;
            if let Some(kept) = self.keep(&buffer)? {
                if chains {
                    own = self.template.fill(&self.options.target, &kept);
                }
                self.kept.borrow_mut().push(kept);
            }
        }
        Ok(())
    }

    fn keep(&self, answer: &[u8]) -> Result<Option<String>> {
        let mut kept = Vec::new();
        for before in &self.template.kept {
            kept.push(value_after(answer, before).with_context(|| format!("a response without {before:?}"))?);
        }
        Ok((!kept.is_empty()).then(|| kept.join("\t")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_with_the_parts_of_a_value() {
        let template = Template::post("/token?a={1}", "code={0}&b=1").header("x-address", "{1}");
        let text = String::from_utf8(template.fill("h:1", "abc\t7")).unwrap();
        assert_eq!(
            text,
            "POST /token?a=7 HTTP/1.1\r\nhost: h:1\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             x-address: 7\r\ncontent-length: 12\r\n\r\ncode=abc&b=1"
        );
        let text = String::from_utf8(Template::get("/x").fill("h:1", "")).unwrap();
        assert_eq!(text, "GET /x HTTP/1.1\r\nhost: h:1\r\n\r\n");
    }
}

//! The guarded client.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use hufu_connect::{
    GuardedClient, OutgoingError,
    guarded::{Lookup, Settings},
};
use tokio::net::TcpListener;

use crate::{
    everything_printed,
    fake_http::{Reply, Server},
    open_settings,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 216, 34));

/// Answers each lookup with the next list, repeating the last one; records the lookups.
pub(crate) struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn new(answers: &[&[IpAddr]]) -> Arc<Self> {
        let answers = answers.iter().map(|addresses| addresses.to_vec()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Lookup for Names {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

fn guarded() -> GuardedClient {
    GuardedClient::new(Settings::default()).unwrap()
}

fn open() -> GuardedClient {
    GuardedClient::new(open_settings()).unwrap()
}

#[tokio::test]
async fn addresses_written_as_numbers_are_refused_in_every_form() {
    let server = Server::answering(200, "secret").await;
    let port = server.port;
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "１２７.0.0.1",
        "127。0。0。1",
        "0.0.0.0",
        "0",
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fd00::1]",
        "[fe80::1]",
    ] {
        let answer = guarded().get(&format!("http://{host}:{port}/"), &[]).await;
        assert!(matches!(answer, Err(OutgoingError::AddressRefused)), "{host}: {answer:?}");
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn names_that_resolve_to_private_addresses_are_refused() {
    let server = Server::answering(200, "secret").await;
    let url = format!("http://hooks.example.com:{}/", server.port);
    for addresses in [&[LOOPBACK][..], &[ELSEWHERE, LOOPBACK], &["::1".parse().unwrap()]] {
        let names = Names::new(&[addresses]);
        let client = GuardedClient::with_lookup(Settings::default(), names.clone()).unwrap();
        let answer = client.post(&url, &[], b"x".to_vec()).await;
        assert!(matches!(answer, Err(OutgoingError::AddressRefused)), "{answer:?}");
        assert_eq!(names.asked(), ["hooks.example.com"]);
    }
    // The operating system's resolver is guarded too.
    let answer = guarded().get(&format!("http://localhost:{}/", server.port), &[]).await;
    assert!(matches!(answer, Err(OutgoingError::AddressRefused)), "{answer:?}");
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_name_is_resolved_once_so_that_a_later_change_has_no_effect() {
    let server = Server::answering(200, "ok").await;
    let url = format!("http://hooks.example.com:{}/", server.port);

    // The client connects to the address from the lookup.
    let names = Names::new(&[&[LOOPBACK], &[ELSEWHERE]]);
    let client = GuardedClient::with_lookup(open_settings(), names.clone()).unwrap();
    assert_eq!(client.get(&url, &[]).await.unwrap().body, b"ok");
    assert_eq!(names.asked().len(), 1);
    assert_eq!(server.only().header("host"), format!("hooks.example.com:{}", server.port));

    // A later lookup is checked again, even if the first one was harmless.
    let names = Names::new(&[&[], &[LOOPBACK]]);
    let client = GuardedClient::with_lookup(Settings::default(), names.clone()).unwrap();
    assert!(matches!(client.get(&url, &[]).await, Err(OutgoingError::Resolve)));
    assert!(matches!(client.get(&url, &[]).await, Err(OutgoingError::AddressRefused)));
    assert_eq!(names.asked().len(), 2);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn addresses_that_are_no_plain_web_address_are_refused() {
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http://bob@example.com/",
        "http://bob:pw@example.com/",
        "https://:pw@example.com/",
        "//example.com/",
        "http://",
        "",
    ] {
        let answer = open().get(url, &[]).await;
        assert!(matches!(answer, Err(OutgoingError::Url(_))), "{url}: {answer:?}");
        assert!(answer.unwrap_err().is_permanent());
    }
}

#[tokio::test]
async fn headers_of_the_frame_are_not_the_callers() {
    for (name, value) in [
        ("Host", "internal"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "h2c"),
        ("bad name", "x"),
        ("x-line", "a\r\nb: c"),
    ] {
        let answer = open().get("http://127.0.0.1:1/", &[(name, value)]).await;
        assert!(matches!(answer, Err(OutgoingError::Header)), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_call_carries_headers_and_body_and_brings_the_answer() {
    let server = Server::answering(418, "short and stout").await;
    let url = format!("{}/hook?a=1", server.base);
    let headers = [("webhook-id", "msg_1"), ("content-type", "application/json")];
    let answer = open().post(&url, &headers, b"{}".to_vec()).await.unwrap();
    assert_eq!((answer.status, answer.is_success(), answer.cut), (418, false, false));
    assert_eq!(answer.whole_body().unwrap(), b"short and stout");
    assert!(answer.headers.contains(&("x-kind".to_owned(), "fake".to_owned())));

    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.query.as_str()), ("POST", "/hook", "a=1"));
    assert_eq!((seen.header("webhook-id"), seen.header("content-type")), ("msg_1", "application/json"));
    assert_eq!((seen.header("referer"), seen.header("accept-encoding")), ("", ""));
    assert_eq!(seen.body, b"{}");
}

#[tokio::test]
async fn redirects_are_answers() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/" => Reply::Redirect("/inside"),
        _ => Reply::Body(200, "inside".into()),
    })
    .await;
    assert_eq!(open().get(&server.base, &[]).await.unwrap().status, 302);
    assert_eq!(server.only().path, "/");
}

#[tokio::test]
async fn long_answers_are_cut() {
    for (length, cut) in [(999, false), (1000, false), (1001, true), (300_000, true)] {
        let server = Server::answering(200, &"x".repeat(length)).await;
        let client = GuardedClient::new(Settings { max_response_bytes: 1000, ..open_settings() }).unwrap();
        let answer = client.get(&server.base, &[]).await.unwrap();
        assert_eq!((answer.body.len(), answer.cut), (length.min(1000), cut), "{length}");
        assert_eq!(matches!(answer.whole_body(), Err(OutgoingError::TooLarge { limit: 1000 })), cut);
    }
}

#[tokio::test]
async fn silence_and_closed_doors_are_told_apart() {
    let server = Server::start(|_| Reply::Silence).await;
    let client =
        GuardedClient::new(Settings { timeout: Duration::from_millis(50), ..open_settings() }).unwrap();
    let late = client.get(&format!("{}/s3cret?k=s3cret", server.base), &[]).await.unwrap_err();
    assert_eq!(late.code(), "timeout");

    // The port was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let closed = open().get(&format!("http://127.0.0.1:{port}/s3cret?k=s3cret"), &[]).await.unwrap_err();
    assert_eq!(closed.code(), "connect");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s3cret", listener.local_addr().unwrap());
    let hang_up = async { drop(listener.accept().await.unwrap()) };
    let client = open();
    let (broken, ()) = tokio::join!(client.get(&url, &[]), hang_up);
    let broken = broken.unwrap_err();
    assert_eq!(broken.code(), "http");

    for error in [late, closed, broken] {
        assert!(!everything_printed(&error).contains("s3cret"), "{error:?}");
        assert!(!error.is_permanent());
    }
}

/// Allowing one private network does not allow any other, in whatever form an address is written.
#[test]
fn only_the_named_networks_are_permitted() {
    let settings = Settings {
        private: ["10.1.0.0/16", "fd00:1::/32"].map(|network| network.parse().unwrap()).into(),
        ..Settings::default()
    };
    let permits = |address: &str| settings.permits(address.parse().unwrap());
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::7", "1.1.1.1", "2606:4700::1111"] {
        assert!(permits(address), "{address}");
    }
    for address in [
        "10.2.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00:2::7",
        "fe80::1",
        "64:ff9b::a01:203",
        "2002:a01:203::1",
    ] {
        assert!(!permits(address), "{address}");
    }
}

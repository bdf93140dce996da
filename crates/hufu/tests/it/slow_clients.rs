//! Clients that are slow, silent or too many lose their connection or wait, while the others are served. The
//! limits are set through the environment, as an operator would do it.

use std::net::SocketAddr;

use hufu_testkit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Client, Instance, Server, free_address};

const AUTH: &str = "/connections/social/wechat-miniprogram/auth";

async fn serve(instance: &Instance, limits: &[(&str, &str)]) -> Server {
    let mut command = instance.command(&["serve"]);
    command.envs(limits.iter().map(|(name, value)| (format!("HUFU_LIMITS_{name}"), *value)));
    Server::start(&mut command).await
}

/// The beginning of a POST of JSON, after which the connection ends.
fn head_of(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    )
}

/// What the server answers to this text until it closes the connection.
async fn asked(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has seen enough closes before all is written. What it answered is there nevertheless.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Everything that the server sends until it closes the connection.
async fn received(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn half_a_head_and_an_idle_connection_are_closed() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let server = serve(&instance, &[("HEADER_TIME", "200ms")]).await;
    for start in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let answer = received(&mut stream).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert_eq!(server.client.get("/healthz").await.status, 200);
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_body_that_does_not_come_gets_its_answer() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    // Too long in all, or too slow from the start.
    for limit in ["BODY_TIME", "BODY_GRACE"] {
        let server = serve(&instance, &[(limit, "200ms")]).await;
        let answer = asked(server.address, &format!("{}Content-Length: 100\r\n\r\n{{", head_of(AUTH))).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""code":408"#), "{answer}");
        let answer =
            asked(server.address, &format!("{}Content-Length: 100\r\n\r\na", head_of("/oidc/token"))).await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains(r#""invalid_request""#), "{answer}");
        server.stop().await.succeeded();
    }
}

#[tokio::test]
async fn nobody_is_told_to_go_on_with_a_body_that_is_too_long() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let server = serve(&instance, &[]).await;
    let expecting = |length: usize, body: &str| {
        format!("{}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n{body}", head_of(AUTH))
    };
    let answer = asked(server.address, &expecting(2, "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 100 ") && answer.contains(r#""code":2231"#), "{answer}");
    let answer = asked(server.address, &expecting(50_000_000_000, "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""code":413"#), "{answer}");
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_request_needs_one_valid_host() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let metrics = free_address();
    let mut command = instance.command(&["serve"]);
    let server = Server::start(command.env("HUFU_METRICS_LISTEN", metrics.to_string())).await;
    for (address, path) in [(server.address, "/healthz"), (metrics, "/metrics")] {
        for (version, hosts, status) in [
            ("1.1", "Host: id.example.com\r\n", 200),
            ("1.1", "Host: [::1]:3000\r\n", 200),
            ("1.0", "", 200),
            ("1.1", "", 400),
            ("1.1", "Host:\r\n", 400),
            ("1.1", "Host: a\r\nHost: a\r\n", 400),
            ("1.0", "Host: a\r\nHost: b\r\n", 400),
            ("1.1", "Host: a b\r\n", 400),
            ("1.1", "Host: a, b\r\n", 400),
            ("1.1", "Host: user@a\r\n", 400),
            ("1.1", "Host: a/b\r\n", 400),
            ("1.1", "Host: a:99999\r\n", 400),
        ] {
            let request = format!("GET {path} HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
            let answer = asked(address, &request).await.to_lowercase();
            assert!(answer.starts_with(&format!("http/{version} {status} ")), "{hosts}: {answer}");
            assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
        }
    }
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_head_may_be_so_long_and_no_longer() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let server = serve(&instance, &[]).await;
    for (length, status) in [(65_536, 200), (65_537, 431), (70_000, 431), (400_000, 431)] {
        let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: ";
        let padding = "x".repeat(length - head.len() - 4);
        let answer = asked(server.address, &format!("{head}{padding}\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
    }
    server.stop().await.succeeded();
}

/// A connection from another address of this machine.
async fn connect_from(peer: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(peer.parse().unwrap(), 0)).unwrap();
    socket.connect(address).await.unwrap()
}

/// Whether the server closes the connection without an answer.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn no_network_holds_all_connections() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let metrics = free_address();
    let mut command = instance.command(&["serve"]);
    command.env("HUFU_METRICS_LISTEN", metrics.to_string());
    command.env("HUFU_LIMITS_CONNECTIONS", "20").env("HUFU_TRUSTED_PROXIES", "127.0.0.3");
    let server = Server::start(&mut command).await;
    let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = connect_from("127.0.0.2", server.address).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert!(is_closed(&mut connect_from("127.0.0.2", server.address).await).await);
    // All clients come from a proxy, so it has no share.
    let mut proxied = Vec::new();
    for _ in 0..6 {
        proxied.push(connect_from("127.0.0.3", server.address).await);
    }
    for stream in &mut proxied {
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    for stream in slow.iter_mut().chain(&mut proxied) {
        stream.write_all(b"Connection: close\r\n\r\n").await.unwrap();
        assert!(received(stream).await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(server.client.get("/healthz").await.status, 200);
    let text = Client::of(&format!("http://{metrics}")).get("/metrics").await.text;
    assert!(text.contains("\nhufu_connections_refused_total 1\n"), "{text}");
    server.stop().await.succeeded();
}

#[tokio::test]
async fn beyond_the_bound_connections_wait_for_a_place() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let server =
        serve(&instance, &[("CONNECTIONS", "3"), ("CONNECTION_SHARE", "1"), ("HEADER_TIME", "1s")]).await;
    // The client of this test keeps one connection. These take the remaining slots until they time out.
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut waiting = TcpStream::connect(server.address).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    waiting.write_all(request.as_bytes()).await.unwrap();
    assert!(received(&mut waiting).await.starts_with("HTTP/1.1 200"), "it is served once there is a place");
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_connection_ends_after_its_time_however_busy() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let server = serve(&instance, &[("CONNECTION_TIME", "300ms")]).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut answers = 0;
    loop {
        if stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.is_err() {
            break;
        }
        match stream.read(&mut [0; 1024]).await {
            Ok(0) | Err(_) => break,
            Ok(_) => answers += 1,
        }
    }
    assert!(answers > 0);
    server.stop().await.succeeded();
}

//! Clients that are slow, silent or too many lose their connection or wait, while the others are served. The
//! limits are set through the environment, as an operator would do it.

use hufu_testkit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Instance, Server};

async fn serve(instance: &Instance, limits: &[(&str, &str)]) -> Server {
    let mut command = instance.command(&["serve"]);
    command.envs(limits.iter().map(|(name, value)| (format!("HUFU_LIMITS_{name}"), *value)));
    Server::start(&mut command).await
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
    let server = serve(&instance, &[("BODY_TIME", "200ms")]).await;
    let path = "/connections/social/wechat-miniprogram/auth";
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{{"
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = received(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""code":2231"#), "{answer}");
    server.stop().await.succeeded();
}

#[tokio::test]
async fn beyond_the_bound_connections_wait_for_a_place() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    let server = serve(&instance, &[("CONNECTIONS", "3"), ("HEADER_TIME", "1s")]).await;
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

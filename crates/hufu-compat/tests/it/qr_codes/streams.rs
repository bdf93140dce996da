//! Streams of events on real connections.

use std::net::SocketAddr;
use std::time::Duration;

use hufu_testkit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Code, bob, confirm, new_code};
use crate::world::{Plan, World};

/// How long anything may take before the test gives up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server of a world's node on a socket of its own, and what stops it.
async fn serve(
    world: &World,
) -> (SocketAddr, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = hufu_web::Listener::new(listener, world.node.app.limits().clone());
    let stopped = async {
        let _ = stopped.await;
    };
    (address, stop, tokio::spawn(listener.serve(world.node.router.clone(), stopped)))
}

/// Reads until this text is there.
async fn read_until(socket: &mut TcpStream, read: &mut Vec<u8>, text: &str) {
    while !String::from_utf8_lossy(read).contains(text) {
        assert!(socket.read_buf(read).await.unwrap() > 0, "{}", String::from_utf8_lossy(read));
    }
}

fn stream_request(code: &Code) -> String {
    format!("GET /api/v2/qrcode/events?random={} HTTP/1.1\r\nHost: id.example.com\r\n\r\n", code.random)
}

/// A stream may be quiet for as long as it likes, but it does not keep a server from stopping.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_ends_when_the_server_stops() {
    let world = World::new(TestDatabase::sqlite()).await;
    let code = new_code(&world.client()).await;
    let (address, stop, serving) = serve(&world).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(stream_request(&code).as_bytes()).await.unwrap();
    let mut read = Vec::new();
    read_until(&mut socket, &mut read, "\"status\":0").await;
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    socket.read_to_end(&mut read).await.unwrap();
    assert!(read.ends_with(b"0\r\n\r\n"), "the answer is whole");
}

/// What comes before a stream on its connection is whole, and nothing comes after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_is_the_last_answer_of_its_connection() {
    let world = World::new(TestDatabase::sqlite()).await;
    let bob = bob(&world).await;
    let client = world.client();
    let code = new_code(&client).await;
    let (address, stop, serving) = serve(&world).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let health = "GET /healthz HTTP/1.1\r\nHost: id.example.com\r\n\r\n";
    // All at once, as no browser does.
    let requests = [health, health, &stream_request(&code), health].concat();
    socket.write_all(requests.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    read_until(&mut socket, &mut read, "\"status\":0").await;
    // What is sent to a stream is read by nobody.
    socket.write_all(health.as_bytes()).await.unwrap();
    confirm(&client, &bob, &code.scene).await;
    socket.read_to_end(&mut read).await.unwrap();

    let text = String::from_utf8(read).unwrap();
    let answers: Vec<&str> = text.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
    let [first, second, stream] = answers.as_slice() else { panic!("{text}") };
    assert!(first.ends_with("\r\n\r\nok") && second.ends_with("\r\n\r\nok"), "{text}");
    let (head, mut chunks) = stream.split_once("\r\n\r\n").unwrap();
    for header in
        ["content-type: text/event-stream", "transfer-encoding: chunked", "connection: close", "date: "]
    {
        assert_eq!(head.matches(header).count(), 1, "{head}");
    }
    let mut events = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let (data, rest) = rest.split_at(usize::from_str_radix(length, 16).unwrap());
        events.push_str(data);
        chunks = rest.strip_prefix("\r\n").unwrap();
    }
    assert_eq!(chunks, "");
    let (first, last) = (events.find("\"status\":0"), events.find("\"status\":2"));
    assert!(first.is_some() && first < last, "{events}");
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

/// A browser that goes away gives its place to another one of its network.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_ends_with_its_browser() {
    let plan = Plan::new().limits(|limits| {
        (limits.qr_streams_per_code, limits.qr_checks_per_code) = (1, 1_000_000);
    });
    let world = plan.build(TestDatabase::sqlite()).await;
    let code = new_code(&world.client()).await;
    let (address, _stop, _serving) = serve(&world).await;
    let open = async || {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(stream_request(&code).as_bytes()).await.unwrap();
        let mut read = Vec::new();
        read_until(&mut socket, &mut read, "\r\n\r\n").await;
        let is_open = String::from_utf8_lossy(&read).contains("text/event-stream");
        (socket, is_open)
    };
    let (first, is_open) = open().await;
    assert!(is_open);
    assert!(!open().await.1, "one stream for each code");
    drop(first);
    let freed = async {
        while !open().await.1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, freed).await.expect("the place is free again");
}

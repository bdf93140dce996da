//! `hufu serve` with `[tls]`: HTTP/1.1 and HTTP/2, certificates that are replaced, and the bounds that hold for plain
//! connections too.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hufu_testkit::TestDatabase;
use hyper::body::Frame;
use hyper::http::{HeaderMap, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

use crate::support::{APPLICATION, CONFIG, Client, Instance, Process, Ran, eventually, free_address, hufu};

const HOST: &str = "id.example.com";
const H2: &str = "h2";
const HTTP_11: &str = "http/1.1";

/// The body of a request.
type Body = UnsyncBoxBody<Cursor<Vec<u8>>, Infallible>;

/// A certificate that its holder has signed.
struct Certificate {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

/// A certificate for a host that ends with a year.
fn certificate_until(host: &str, year: i32) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let certificate = params.self_signed(&key).unwrap();
    Certificate { pem: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
}

fn certificate() -> Certificate {
    certificate_until(HOST, 2999)
}

/// An instance whose configuration names a certificate's files.
async fn instance(certificate: &Certificate) -> Instance {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    put(&instance, certificate);
    let config = std::fs::read_to_string(instance.path(CONFIG)).unwrap();
    let tls = "\n[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    instance.write(CONFIG, &format!("{config}{tls}"));
    instance
}

fn put(instance: &Instance, certificate: &Certificate) {
    instance.write("cert.pem", &certificate.pem);
    instance.write("key.pem", &certificate.key);
}

/// A server that speaks TLS.
struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    async fn start(command: &mut Command) -> Self {
        let process = Process::start(command);
        let line = process.err.line_with(r#""message":"serving""#).await;
        let serving: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(serving["speaks"], "https");
        Self { address: serving["address"].as_str().unwrap().parse().unwrap(), process }
    }

    async fn with(instance: &Instance, limits: &[(&str, &str)]) -> Self {
        let mut command = instance.command(&["serve"]);
        command.envs(limits.iter().map(|(name, value)| (format!("HUFU_LIMITS_{name}"), *value)));
        Self::start(&mut command).await
    }

    async fn stop(self) -> Ran {
        self.process.terminate();
        self.process.finish().await
    }

    /// Connects, and believes this certificate alone.
    async fn connect(
        &self,
        certificate: &Certificate,
        alpn: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_by(certificate, alpn, &TLS13).await
    }

    async fn connect_by(
        &self,
        certificate: &Certificate,
        alpn: &[&str],
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect(HOST.try_into().unwrap(), stream).await
    }

    /// A client of HTTP/2.
    async fn http2(&self, certificate: &Certificate) -> Http2 {
        let stream = self.connect(certificate, &[H2]).await.unwrap();
        let io = TokioIo::new(stream);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        Http2(sender)
    }

    /// What the server sends to a client of HTTP/2 that sends these bytes, until it closes the connection.
    async fn http2_frames(&self, certificate: &Certificate, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect(certificate, &[H2]).await.unwrap();
        let opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(&[opening, bytes].concat()).await.unwrap();
        received(stream).await
    }
}

#[derive(Clone)]
struct Http2(hyper::client::conn::http2::SendRequest<Body>);

#[derive(Debug)]
struct Answer {
    version: Version,
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    async fn of(response: hyper::Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Self { version: head.version, status: head.status.as_u16(), headers: head.headers, text }
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("https://{HOST}{path}")).body(Full::default().boxed_unsync()).unwrap()
}

fn post(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(format!("https://{HOST}{path}"));
    let request = request.header("content-type", "application/json").header("x-authing-app-id", APPLICATION);
    request.body(Full::new(Cursor::new(body.to_string().into_bytes())).boxed_unsync()).unwrap()
}

/// A body that comes once it may.
fn after(mut may: watch::Receiver<bool>, body: Body) -> Body {
    let frames = futures::stream::once(async move {
        may.wait_for(|may| *may).await.unwrap();
        Ok(Frame::data(Cursor::new(body.collect().await.unwrap().to_bytes().to_vec())))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Http2 {
    async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.0.clone().send_request(request).await.unwrap()).await
    }
}

/// What a client of HTTP/1.1 gets.
async fn http1(stream: TlsStream<TcpStream>, mut request: Request<Body>) -> Answer {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    request.headers_mut().insert("host", HOST.parse().unwrap());
    *request.uri_mut() = request.uri().path().parse().unwrap();
    Answer::of(sender.send_request(request).await.unwrap()).await
}

/// Everything that comes until the connection ends, however it ends.
async fn received(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let server = Server::with(&instance, &[]).await;

    let old = server.connect(&certificate, &[HTTP_11]).await.unwrap();
    assert_eq!(old.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let old = http1(old, get("/healthz")).await;
    let client = server.http2(&certificate).await;
    let new = client.send(get("/healthz")).await;
    for (answer, version) in [(old, Version::HTTP_11), (new, Version::HTTP_2)] {
        assert_eq!((answer.version, answer.status, answer.text.as_str()), (version, 200, "ok"));
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }

    // One that knows neither TLS 1.3 nor ALPN, and one that prefers HTTP/2 among both.
    let stream = server.connect_by(&certificate, &[], &TLS12).await.unwrap();
    assert_eq!(http1(stream, get("/healthz")).await.status, 200);
    let stream = server.connect(&certificate, &[HTTP_11, H2]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(H2.as_bytes()));
    let error = server.connect(&certificate, &["http/0.9"]).await.err().unwrap();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");

    // Many requests at once, with bodies.
    let path = "/connections/social/wechat-miniprogram/auth";
    let logins = (0..20).map(|_| json!({ "code": instance.code(None) }));
    let logins = logins.map(|body| client.send(post(path, &body))).collect::<Vec<_>>();
    for answer in futures::future::join_all(logins).await {
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(answer["code"], 200, "{answer}");
    }
    assert_eq!(client.send(get("/no/such/path")).await.status, 404);
    server.stop().await.succeeded();
}

#[tokio::test]
async fn plain_http_is_not_spoken_on_the_port_of_tls() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let metrics = free_address();
    let mut command = instance.command(&["serve"]);
    let server = Server::start(command.env("HUFU_METRICS_LISTEN", metrics.to_string())).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let answer = received(stream).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    let client = Client::of(&format!("http://{metrics}"));
    eventually("it is counted", async || {
        client.get("/metrics").await.text.contains("\nhufu_tls_handshakes_failed_total 1\n")
    })
    .await;
    let text = client.get("/metrics").await.text;
    // 2999-12-31.
    assert!(text.contains("\nhufu_tls_certificate_expires_seconds 32503593600\n"), "{text}");
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_request_of_http2_is_for_one_host() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let server = Server::with(&instance, &[]).await;
    let client = server.http2(&certificate).await;
    for (host, status) in
        [("id.example.com", 200), ("ID.example.com", 200), ("other.example.com", 400), ("a b", 400)]
    {
        let mut request = get("/healthz");
        request.headers_mut().insert("host", host.parse().unwrap());
        let answer = client.send(request).await;
        assert_eq!(answer.status, status, "{host}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_replaced_certificate_is_presented_without_a_restart() {
    let (first, second) = (certificate(), certificate());
    let instance = instance(&first).await;
    let server = Server::with(&instance, &[("CERTIFICATE_POLL", "20ms")]).await;
    let client = server.http2(&first).await;
    assert!(server.connect(&second, &[H2]).await.is_err());

    put(&instance, &second);
    eventually("the second certificate", async || server.connect(&second, &[H2]).await.is_ok()).await;
    assert!(server.connect(&first, &[H2]).await.is_err());
    assert_eq!(client.send(get("/healthz")).await.status, 200, "connections go on");
    server.process.err.line_with("the certificate was replaced").await;

    for (file, text, told) in [
        ("cert.pem", "nonsense", "tls.cert_file: cert.pem contains no certificate"),
        ("cert.pem", first.pem.as_str(), "the key in key.pem is not that of the certificate in cert.pem"),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\ngeheim\n", "tls.key_file: key.pem is not valid PEM"),
    ] {
        instance.write(file, text);
        let line: Value = serde_json::from_str(&server.process.err.line_with(told).await).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], "the new certificate is not used; the previous one stays");
        assert!(server.connect(&second, &[H2]).await.is_ok());
    }
    std::fs::remove_file(instance.path("key.pem")).unwrap();
    server.process.err.line_with("tls.key_file: key.pem cannot be read").await;
    assert!(server.connect(&second, &[H2]).await.is_ok());

    put(&instance, &first);
    eventually("the first certificate", async || server.connect(&first, &[H2]).await.is_ok()).await;
    let ran = server.stop().await;
    assert!(!ran.err.contains("geheim") && !ran.err.contains("BEGIN"), "{}", ran.err);
}

#[tokio::test]
async fn a_handshake_has_so_much_time() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let server = Server::with(&instance, &[("HANDSHAKE_TIME", "1s")]).await;
    // Nothing, and the beginning of a ClientHello.
    for start in [&[][..], &[22, 3, 1, 1, 0, 1, 0]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        assert!(received(stream).await.is_empty());
    }
    assert_eq!(server.http2(&certificate).await.send(get("/healthz")).await.status, 200);
    server.stop().await.succeeded();
}

#[tokio::test]
async fn slow_and_silent_clients_lose_their_connection() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let server = Server::with(&instance, &[("HEADER_TIME", "200ms")]).await;
    // HTTP/1.1: nothing, and half a head.
    for start in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut stream = server.connect(&certificate, &[HTTP_11]).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let answer = received(stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
    // HTTP/2: not even its preface; nothing after it; and a head whose end does not come.
    let mute = server.connect(&certificate, &[H2]).await.unwrap();
    received(mute).await;
    for frames in [&[][..], &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]] {
        let answer = server.http2_frames(&certificate, frames).await;
        let goodbye = answer.windows(5).any(|bytes| bytes == [8, 7, 0, 0, 0]);
        assert!(goodbye, "GOAWAY: {answer:?}");
    }
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_connection_of_http2_that_is_used_is_kept() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let server = Server::with(&instance, &[("HEADER_TIME", "1s")]).await;
    let client = server.http2(&certificate).await;
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_millis(2500) {
        assert_eq!(client.send(get("/healthz")).await.status, 200);
    }
    eventually("the end of an idle connection", async || client.0.is_closed()).await;
    server.stop().await.succeeded();
}

#[tokio::test]
async fn a_connection_of_http2_has_bounds() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let limits = [("CONNECTIONS", "30"), ("CONNECTION_REQUESTS", "7"), ("HEADER_TIME", "2s")];
    let server = Server::with(&instance, &limits).await;
    // What the server says of itself: SETTINGS_MAX_CONCURRENT_STREAMS (3) and SETTINGS_MAX_HEADER_LIST_SIZE (6).
    let settings = server.http2_frames(&certificate, &[]).await;
    for setting in [[0, 3, 0, 0, 0, 7], [0, 6, 0, 1, 0, 0]] {
        assert!(settings.windows(6).any(|bytes| bytes == setting), "{setting:?}: {settings:?}");
    }
    let client = server.http2(&certificate).await;
    let mut long = get("/healthz");
    long.headers_mut().insert("cookie", "x".repeat(66_000).parse().unwrap());
    assert_eq!(client.send(long).await.status, 431);

    // A network has three connections, and three requests under way, on whichever of them.
    let (release, held) = watch::channel(false);
    let path = "/connections/social/wechat-miniprogram/auth";
    let slow = (0..3).map(|_| {
        let (client, request) =
            (client.clone(), post(path, &json!({})).map(|body| after(held.clone(), body)));
        tokio::spawn(async move { client.send(request).await })
    });
    let slow: Vec<_> = slow.collect();
    let other = server.http2(&certificate).await;
    for client in [&client, &other] {
        eventually("a refusal", async || client.send(get("/healthz")).await.status == 503).await;
    }
    release.send(true).unwrap();
    for answer in slow {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    for client in [&client, &other] {
        assert_eq!(client.send(get("/healthz")).await.status, 200);
    }
    server.stop().await.succeeded();
}

#[tokio::test]
async fn the_server_stops_though_clients_stay_connected() {
    let certificate = certificate();
    let instance = instance(&certificate).await;
    let server = Server::with(&instance, &[]).await;
    let client = server.http2(&certificate).await;
    assert_eq!(client.send(get("/healthz")).await.status, 200);
    // One that is in the middle of its handshake, one that does not answer, and one of HTTP/1.1.
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut deaf = server.connect(&certificate, &[H2]).await.unwrap();
    deaf.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let _idle = server.connect(&certificate, &[HTTP_11]).await.unwrap();
    let begin = std::time::Instant::now();
    let ran = server.stop().await;
    ran.succeeded();
    assert!(!ran.err.contains("cut off"), "{}", ran.err);
    assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn mistakes_about_the_certificate_are_told_at_the_start() {
    let (one, other) = (certificate(), certificate());
    let instance = instance(&one).await;
    let nothing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, told) in [
        (
            None,
            None,
            &[
                "2 mistakes in the configuration:",
                "tls.cert_file: cert.pem cannot be read: No such file",
                "tls.key_file: key.pem cannot be read: No such file",
            ][..],
        ),
        (Some(one.pem.as_str()), None, &["tls.key_file: key.pem cannot be read: "]),
        (
            Some(&one.pem),
            Some(other.key.as_str()),
            &["tls.key_file: the key in key.pem is not that of the certificate in cert.pem"],
        ),
        (
            Some(&one.key),
            Some(&one.pem),
            &[
                "2 mistakes in the configuration:",
                "tls.cert_file: cert.pem contains no certificate; it must be PEM, the server's own certificate first",
                "tls.key_file: key.pem contains no private key; it must be PEM without a passphrase",
            ],
        ),
        (Some(nothing), Some(&one.key), &["tls.cert_file: the first certificate in cert.pem is malformed"]),
    ] {
        for (file, text) in [("cert.pem", certificate), ("key.pem", key)] {
            let _ = std::fs::remove_file(instance.path(file));
            if let Some(text) = text {
                instance.write(file, text);
            }
        }
        let ran = instance.run(&["serve"]).await;
        let lines: Vec<&str> = ran.failed().lines().map(str::trim).collect();
        assert_eq!(lines.len(), told.len(), "{lines:?}");
        assert!(lines.iter().zip(told).all(|(line, told)| line.starts_with(told)), "{lines:?}: {told:?}");
        assert!(!ran.err.contains("PRIVATE KEY"), "{}", ran.err);
    }
    // Only the server reads it.
    instance.run(&["apply", "world.toml"]).await.succeeded();
}

#[tokio::test]
async fn mistakes_in_the_table_are_told_with_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let text = "listen = \"3000\"\n[tls]\ncert_file = 5\n[limits]\nhandshake_time = 3\n";
    std::fs::write(folder.path().join(CONFIG), text).unwrap();
    let ran = Process::start(hufu().current_dir(&folder).args(["serve", "--config", CONFIG])).finish().await;
    let told = [
        "5 mistakes in the configuration:",
        "hufu.toml:3:13: invalid type: integer `5`, expected a string",
        "hufu.toml:5:18: it must be a duration",
        "tls.cert_file is missing; [tls] needs cert_file and key_file",
        "tls.key_file is missing; [tls] needs cert_file and key_file",
        "listen is not an address and port",
    ];
    let lines: Vec<&str> = ran.failed().lines().map(str::trim).collect();
    assert_eq!(lines.len(), told.len(), "{lines:?}");
    assert!(lines.iter().zip(told).all(|(line, told)| line.starts_with(told)), "{lines:?}");
}

#[tokio::test]
async fn a_certificate_that_clients_will_not_believe_is_served_with_a_warning() {
    for (certificate, told) in [
        (certificate_until(HOST, 2020), "the certificate in cert.pem expired at 2020-12-31T00:00:00.000Z"),
        (certificate_until("a.example.com", 2999), "the certificate in cert.pem is not for id.example.com"),
    ] {
        let instance = instance(&certificate).await;
        let server = Server::with(&instance, &[]).await;
        let line: Value = serde_json::from_str(&server.process.err.line_with(told).await).unwrap();
        assert_eq!(line["level"], "WARN");
        server.stop().await.succeeded();
    }
}

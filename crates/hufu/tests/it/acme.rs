//! `hufu serve` with `tls.acme`: certificates that it orders from an authority, Let's Encrypt's own for tests.

use std::convert::Infallible;
use std::fs::File;
use std::io::Cursor;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hufu_testkit::TestDatabase;
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::{CONFIG, Client, Instance, Pebble, Ports, Process, Ran, eventually, free_address};

const HOST: &str = "id.example.com";
const DAYS_90: u64 = 90 * 24 * 60 * 60;
const ACME_TLS: &str = "acme-tls/1";
const REPLACED: &str = "the certificate was replaced";

/// An instance that orders its certificate.
struct Site {
    instance: Instance,
    ports: Ports,
    /// Whether it listens for plain HTTP.
    http: bool,
    /// The file with the root of the authority's own https.
    api_root: PathBuf,
    metrics: SocketAddr,
}

impl Site {
    /// `more` is added to the table.
    async fn new(ports: Ports, directory: &str, api_root: PathBuf, more: &str) -> Self {
        let instance = Instance::ready(TestDatabase::sqlite()).await;
        let site = Self { instance, ports, http: false, api_root, metrics: free_address() };
        site.order_from(directory, more);
        site
    }

    async fn of(ports: Ports, pebble: &Pebble) -> Self {
        Self::new(ports, &pebble.directory(), pebble.api_root(), "").await
    }

    /// Writes the table.
    fn order_from(&self, directory: &str, more: &str) {
        let config = std::fs::read_to_string(self.instance.path(CONFIG)).unwrap();
        let config = config.split("\n[tls]").next().unwrap();
        let table = format!(
            "directory = \"{directory}\", contact = \"mailto:ops@example.com\", terms_agreed = true, cache = \"acme/\"{more}"
        );
        self.instance.write(CONFIG, &format!("{config}\n[tls]\nacme = {{ {table} }}\n"));
    }

    fn command(&self) -> Command {
        let mut command = self.instance.command(&["serve"]);
        command
            .env("SSL_CERT_FILE", &self.api_root)
            .env("HUFU_OUTGOING_PRIVATE", "127.0.0.0/8")
            .env("HUFU_LISTEN", self.ports.tls.to_string())
            .env("HUFU_METRICS_LISTEN", self.metrics.to_string())
            .env("HUFU_LIMITS_CERTIFICATE_POLL", "50ms")
            .env("HUFU_LIMITS_ACME_RETRY_FIRST", "300ms")
            .env("HUFU_LIMITS_ACME_RETRY_LONGEST", "300ms");
        if self.http {
            command.env("HUFU_HTTP_LISTEN", self.ports.http.to_string());
        }
        command
    }

    /// Starts the server, which may not have a certificate yet.
    async fn start(&self) -> Process {
        let process = Process::start(&mut self.command());
        process.err.line_with(r#""message":"serving""#).await;
        process
    }

    /// Starts the server and waits until it has a certificate.
    async fn certified(&self) -> Process {
        let process = self.start().await;
        self.has_certificate().await;
        process
    }

    async fn has_certificate(&self) {
        let metrics = self.metrics();
        eventually("a certificate", async || metrics.get("/readyz").await.status == 200).await;
    }

    fn metrics(&self) -> Client {
        Client::of(&format!("http://{}", self.metrics))
    }

    /// The only folder of an authority in the cache.
    fn folder(&self) -> PathBuf {
        let mut folders = std::fs::read_dir(self.instance.path("acme")).unwrap();
        let folder = folders.next().unwrap().unwrap().path();
        assert!(folders.next().is_none());
        folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Connects, and believes everything.
    async fn connect(&self, name: &str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.ports.tls, name, alpn).await
    }

    /// The certificate that is presented.
    async fn presented(&self) -> CertificateDer<'static> {
        first(&self.connect(HOST, &["h2"]).await.unwrap())
    }

    /// What a request in plain HTTP gets: the answer's head and its body.
    async fn plain(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.ports.http).await.unwrap();
        let close = "Connection: close\r\n\r\n";
        stream.write_all(format!("{request}\r\n{close}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }
}

async fn stop(process: Process) -> Ran {
    process.terminate();
    let ran = process.finish().await;
    ran.succeeded();
    assert!(!ran.err.contains("PRIVATE KEY") && !ran.err.contains("key_pkcs8"), "{}", ran.err);
    ran
}

fn first(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

fn count(process: &Process, text: &str) -> usize {
    process.err.lines().iter().filter(|line| line.contains(text)).count()
}

async fn line(process: &Process, text: &str) -> Value {
    serde_json::from_str(&process.err.line_with(text).await).unwrap()
}

/// `curl`, which believes this root alone.
fn curl(root: &Path, port: u16, more: &[&str]) -> (bool, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--noproxy", "*", "--cacert"]).arg(root);
    command.args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")]).args(more);
    let ran = command.arg(format!("https://{HOST}:{port}/healthz")).output().expect("curl is installed");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).unwrap())
}

#[derive(Debug)]
struct Everything;

impl ServerCertVerifier for Everything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn connect(address: SocketAddr, name: &str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(Everything)).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(name.to_owned().try_into().unwrap(), stream).await
}

#[tokio::test]
async fn one_binary_and_one_domain() {
    let ports = Ports::free();
    let mut pebble = Pebble::stopped(ports, DAYS_90, &json!({}));
    let site = Site::of(ports, &pebble).await;

    // Before the authority can be reached.
    let server = site.start().await;
    let failed = line(&server, "no certificate was issued").await;
    assert_eq!(failed["level"], "ERROR");
    assert!(failed["advice"].as_str().unwrap().contains("check tls.acme.directory"), "{failed}");
    let readiness = site.metrics().get("/readyz").await;
    assert_eq!(
        (readiness.status, readiness.json()["status"].as_str()),
        (503, Some("there is no certificate yet"))
    );
    assert_eq!(site.metrics().get("/healthz").await.text, "ok");
    let error = site.connect(HOST, &["h2"]).await.err().unwrap();
    assert!(error.to_string().contains("alert"), "a clean end: {error}");
    let error = site.connect(HOST, &[ACME_TLS]).await.err().unwrap();
    assert!(error.to_string().contains("alert"), "a clean end: {error}");

    pebble.run().await;
    site.has_certificate().await;
    let root = pebble.root().await;
    let (succeeded, answer) = curl(&root, ports.tls.port(), &["--http2"]);
    assert!(succeeded && answer.starts_with("HTTP/2 200"), "{answer}");
    assert!(answer.to_lowercase().contains("strict-transport-security: max-age=31536000"), "{answer}");
    assert!(answer.ends_with("ok"), "{answer}");
    let (succeeded, answer) = curl(&root, ports.tls.port(), &["--http1.1"]);
    assert!(succeeded && answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (succeeded, answer) = curl(&site.api_root, ports.tls.port(), &[]);
    assert!(!succeeded, "another root: {answer}");

    let ordered = line(&server, "a certificate is ordered").await;
    assert_eq!((ordered["host"].as_str(), ordered["challenge"].as_str()), (Some(HOST), Some("tls-alpn-01")));
    let metrics = site.metrics().get("/metrics").await.text;
    assert!(metrics.contains("\nhufu_acme_orders_total{outcome=\"issued\"} 1\n"), "{metrics}");
    assert!(metrics.contains("\nhufu_tls_certificate_expires_seconds "), "{metrics}");
    // Nobody but the owner sees what is kept, and nothing is left of the challenge.
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(site.instance.path("acme")), mode(site.folder())), (0o700, 0o700));
    let files = std::fs::read_dir(site.folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert_eq!(files, ["account.json", "id.example.com.pem", "lock"]);
    assert!(files.iter().all(|name| mode(site.file(name)) == 0o600));

    // Started again: the same certificate, without an order, though the authority is gone.
    let before = site.presented().await;
    assert_eq!(pebble.orders(), 1);
    stop(server).await;
    let server = site.certified().await;
    assert_eq!(site.presented().await, before);
    assert_eq!(pebble.orders(), 1);
    stop(server).await;
    pebble.stop();
    let server = site.certified().await;
    assert_eq!(site.presented().await, before);
    let ran = stop(server).await;
    assert!(!ran.err.contains("a certificate is ordered"), "{}", ran.err);
}

#[tokio::test]
async fn http_01_and_the_way_to_https() {
    let ports = Ports::free();
    let mut pebble = Pebble::stopped(ports, DAYS_90, &json!({}));
    pebble.refuse_nonces(15);
    pebble.run().await;
    let site = Site { http: true, ..Site::of(ports, &pebble).await };
    let server = site.certified().await;
    let ordered = line(&server, "a certificate is ordered").await;
    assert_eq!(ordered["challenge"], "http-01");
    assert!(pebble.count("Attempting to validate w/ HTTP") >= 1);
    let (succeeded, answer) = curl(&pebble.root().await, ports.tls.port(), &["--http2"]);
    assert!(succeeded && answer.starts_with("HTTP/2 200"), "{answer}");

    for (request, status, location) in [
        ("GET /login?x=y HTTP/1.1\r\nHost: id.example.com", 301, "/login?x=y"),
        ("HEAD / HTTP/1.1\r\nHost: id.example.com", 301, "/"),
        ("POST /oidc/token HTTP/1.1\r\nHost: id.example.com\r\nContent-Length: 0", 308, "/oidc/token"),
        // Whatever is asked, it leads nowhere else.
        ("GET / HTTP/1.1\r\nHost: evil.example", 301, "/"),
        ("GET //evil.example/ HTTP/1.1\r\nHost: evil.example", 301, "//evil.example/"),
        ("GET http://evil.example/a HTTP/1.1\r\nHost: evil.example", 301, "/a"),
        ("OPTIONS * HTTP/1.1\r\nHost: id.example.com", 308, "/"),
        (
            "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: id.example.com",
            301,
            "/.well-known/acme-challenge/x",
        ),
        (
            "GET /.well-known/acme-challenge/../../account.json HTTP/1.1\r\nHost: a.example",
            301,
            "/.well-known/acme-challenge/../../account.json",
        ),
        ("GET /healthz HTTP/1.1\r\nHost: id.example.com", 301, "/healthz"),
    ] {
        let (head, _) = site.plain(request).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{request}: {head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(!head.contains("strict-transport-security"), "{head}");
        let leads = format!("\r\nlocation: https://{HOST}{location}\r\n");
        assert!(head.contains(&leads), "{request}: {head}");
    }
    stop(server).await;
}

#[tokio::test]
async fn only_what_the_authority_waits_for_is_answered() {
    let ports = Ports::free();
    let pebble = Pebble::start(ports, DAYS_90).await;
    let site = Site { http: true, ..Site::of(ports, &pebble).await };
    let server = site.certified().await;
    // Another node orders, and this one is asked: it answers from the folder that they share.
    let other = File::open(site.file("lock")).unwrap();
    other.try_lock().unwrap();
    let ask = "GET /.well-known/acme-challenge/the-token HTTP/1.1\r\nHost: id.example.com";
    let challenge = site.file("id.example.com.challenge.json");
    assert!(site.plain(ask).await.0.starts_with("http/1.1 301"));
    let pending = json!({ "token": "the-token", "key_authorization": "the-token.thumbprint" });
    std::fs::write(&challenge, pending.to_string()).unwrap();
    let (head, body) = site.plain(ask).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("application/octet-stream"), "{head}");
    assert_eq!(body, "the-token.thumbprint");
    for path in ["the-toke", "the-token/", "the-token%00", "", "THE-TOKEN"] {
        let (head, _) = site.plain(&ask.replace("the-token", path)).await;
        assert!(head.starts_with("http/1.1 301"), "{path}: {head}");
    }

    // TLS-ALPN-01: the protocol alone, and the name. The extension is 1.3.6.1.5.5.7.1.31.
    let extension = [6, 8, 43, 6, 1, 5, 5, 7, 1, 31, 1, 1, 255, 4, 34, 4, 32];
    let is_answer = |der: &CertificateDer<'_>| der.windows(extension.len()).any(|bytes| bytes == extension);
    for name in [HOST, "ID.example.com"] {
        let mut stream = site.connect(name, &[ACME_TLS]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(ACME_TLS.as_bytes()));
        assert!(is_answer(&first(&stream)));
        // Nothing is served there.
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: id.example.com\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    for (name, alpn) in
        [("other.example.com", &[ACME_TLS][..]), ("192.0.2.1", &[ACME_TLS]), (HOST, &["acme-tls/2"])]
    {
        let error = site.connect(name, alpn).await.err().unwrap();
        assert!(error.to_string().contains("NoApplicationProtocol"), "{name} {alpn:?}: {error}");
    }
    for alpn in [&[ACME_TLS, "h2"][..], &["h2", ACME_TLS], &["http/1.1"], &[]] {
        let stream = site.connect(HOST, alpn).await.unwrap();
        assert!(!is_answer(&first(&stream)), "{alpn:?}");
        assert_ne!(stream.get_ref().1.alpn_protocol(), Some(ACME_TLS.as_bytes()));
    }
    std::fs::remove_file(&challenge).unwrap();
    assert!(site.plain(ask).await.0.starts_with("http/1.1 301"));
    assert!(site.connect(HOST, &[ACME_TLS]).await.is_err());
    stop(server).await;
}

#[tokio::test]
async fn nodes_that_share_the_folder_order_once() {
    let ports = Ports::free();
    let pebble = Pebble::start(ports, DAYS_90).await;
    // The authority asks the first node alone.
    let site = Site { http: true, ..Site::of(ports, &pebble).await };
    let other = Ports::free();
    let second = || {
        let mut command = site.command();
        command.env("HUFU_LISTEN", other.tls.to_string()).env("HUFU_METRICS_LISTEN", "off");
        command.env("HUFU_HTTP_LISTEN", other.http.to_string());
        Process::start(&mut command)
    };
    let (first_node, second_node) = (site.start().await, second());
    site.has_certificate().await;
    eventually("the certificate at the second node", async || {
        connect(other.tls, HOST, &["h2"]).await.is_ok()
    })
    .await;
    assert_eq!(site.presented().await, first(&connect(other.tls, HOST, &["h2"]).await.unwrap()));
    assert_eq!(pebble.count("Issued certificate"), 1);
    assert_eq!(
        count(&first_node, "a certificate is ordered") + count(&second_node, "a certificate is ordered"),
        1
    );
    assert_eq!((count(&first_node, REPLACED), count(&second_node, REPLACED)), (1, 1));
    stop(first_node).await;
    stop(second_node).await;
}

#[tokio::test]
async fn a_certificate_is_renewed_before_it_ends() {
    let ports = Ports::free();
    let pebble = Pebble::start(ports, 12).await;
    let site = Site::of(ports, &pebble).await;
    let server = site.certified().await;
    let (before, mut open) = (site.presented().await, site.connect(HOST, &["http/1.1"]).await.unwrap());
    // A client of the connections that go on.
    let mut healthy = async || {
        open.write_all(b"GET /healthz HTTP/1.1\r\nHost: id.example.com\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        open.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = [0; 4096];
        let _ = open.read(&mut rest).await.unwrap();
    };
    eventually("the next certificate", async || {
        healthy().await;
        site.presented().await != before
    })
    .await;
    healthy().await;
    assert!(count(&server, REPLACED) >= 2 && pebble.orders() >= 2);
    assert_eq!(pebble.count("accounts in memory"), 1, "the account is kept");
    assert!(pebble.count("is a replacement of") >= 1, "the authority knows what is renewed");
    let ran = stop(server).await;
    assert!(!ran.err.contains("failed"), "{}", ran.err);
}

#[tokio::test]
async fn the_authority_says_when_to_renew() {
    let ports = Ports::free();
    let pebble = Pebble::start(ports, DAYS_90).await;
    let site = Site::of(ports, &pebble).await;
    let server = site.certified().await;
    let before = site.presented().await;
    stop(server).await;
    // As when certificates have to be revoked (RFC 9773).
    let pem = std::fs::read_to_string(site.file("id.example.com.pem")).unwrap();
    let certificate = &pem[pem.find("-----BEGIN CERTIFICATE").unwrap()..];
    pebble.suggest(certificate, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z").await;
    let server = site.certified().await;
    eventually("the next certificate", async || site.presented().await != before).await;
    assert_eq!(pebble.orders(), 2);
    stop(server).await;
    // And one that an authority wants to be kept forever is renewed in time nevertheless: see `schedule`.
}

#[tokio::test]
async fn an_authority_that_has_forgotten_the_account_gets_another() {
    let ports = Ports::free();
    let mut pebble = Pebble::start(ports, DAYS_90).await;
    let site = Site::of(ports, &pebble).await;
    stop(site.certified().await).await;
    let account = std::fs::read_to_string(site.file("account.json")).unwrap();
    pebble.stop();
    pebble.run().await;
    std::fs::remove_file(site.file("id.example.com.pem")).unwrap();
    let server = site.certified().await;
    assert_ne!(std::fs::read_to_string(site.file("account.json")).unwrap(), account);
    stop(server).await;

    // A contact that changes is told; and whoever damages the certificate gets another.
    let text = std::fs::read_to_string(site.instance.path(CONFIG)).unwrap();
    site.instance.write(CONFIG, &text.replace("ops@example.com", "other@example.com"));
    std::fs::write(site.file("id.example.com.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    let server = site.certified().await;
    let warned = line(&server, "the certificate of the cache is not used; another is ordered").await;
    assert_eq!(warned["level"], "WARN");
    let account: Value =
        serde_json::from_str(&std::fs::read_to_string(site.file("account.json")).unwrap()).unwrap();
    assert_eq!(account["contact"], "mailto:other@example.com");
    assert_eq!(pebble.count("accounts in memory"), 1, "the same account");
    stop(server).await;
}

#[tokio::test]
async fn an_external_account_is_shown() {
    let ports = Ports::free();
    let more = json!({ "externalAccountBindingRequired": true, "externalAccountMACKeys": { "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W" } });
    let mut pebble = Pebble::stopped(ports, DAYS_90, &more);
    pebble.run().await;
    let site = Site::of(ports, &pebble).await;
    let server = site.start().await;
    let failed = line(&server, "no certificate was issued").await;
    assert_eq!(failed["advice"], "set tls.acme.eab_kid and tls.acme.eab_hmac_key");
    stop(server).await;
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    site.order_from(&pebble.directory(), &format!(", eab_kid = \"kid-1\", eab_hmac_key = \"{key}\""));
    let ran = stop(site.certified().await).await;
    assert!(!ran.err.contains(key));
}

#[tokio::test]
async fn what_the_authority_refuses_is_told_with_what_to_do() {
    // It looks where nobody answers.
    let ports = Ports::free();
    let mut pebble = Pebble::start(Ports::free(), DAYS_90).await;
    let site = Site { http: true, ..Site::of(ports, &pebble).await };
    let server = site.start().await;
    let failed = line(&server, "no certificate was issued").await;
    let told = failed["error"].as_str().unwrap();
    assert!(told.contains("did not find the answer") && told.contains("refused"), "{told}");
    assert!(
        failed["advice"].as_str().unwrap().contains("let the certificate authority reach this server"),
        "{failed}"
    );
    let client = site.metrics();
    eventually("it is counted", async || {
        client.get("/metrics").await.text.contains("hufu_acme_orders_total{outcome=\"failed\"}")
    })
    .await;
    // It is tried again, and again.
    eventually("another order", async || pebble.orders() >= 3).await;
    assert!(site.connect(HOST, &["h2"]).await.is_err());
    stop(server).await;

    // A name for which it issues nothing.
    let text = std::fs::read_to_string(site.instance.path(CONFIG)).unwrap();
    site.instance.write(CONFIG, &text.replace(HOST, "blocked.example.com"));
    let server = site.start().await;
    let failed = line(&server, "no certificate was issued").await;
    assert!(failed["advice"].as_str().unwrap().contains("check public_url"), "{failed}");
    stop(server).await;
    pebble.stop();
}

#[tokio::test]
async fn mistakes_about_orders_are_told_at_the_start() {
    let ports = Ports::free();
    let site = Site::new(ports, "https://127.0.0.1:9/dir", "/dev/null".into(), "").await;
    let failed = async |told: &str| {
        let ran = Process::start(&mut site.command()).finish().await;
        assert!(ran.failed().starts_with(told), "{told}: {}", ran.err);
    };
    let open = |mode| {
        std::fs::set_permissions(site.instance.path("acme"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::fs::create_dir(site.instance.path("acme")).unwrap();
    for mode in [0o755, 0o701, 0o720] {
        open(mode);
        failed("tls.acme.cache: private keys are kept in acme/, which is open to others than its owner; close it with").await;
    }
    std::fs::remove_dir(site.instance.path("acme")).unwrap();
    site.instance.write("acme", "a file");
    failed("tls.acme.cache: acme/ cannot be used: ").await;
    std::fs::remove_file(site.instance.path("acme")).unwrap();

    let config = std::fs::read_to_string(site.instance.path(CONFIG)).unwrap();
    site.instance.write(CONFIG, &config.replace("terms_agreed = true", "terms_agreed = false"));
    failed("tls.acme.terms_agreed must be true: an order needs your agreement to the terms").await;
    site.instance.write(CONFIG, &config.replace("https://127", "http://127"));
    failed("tls.acme.directory must be an https URL").await;
}

/// The body of an answer.
type Body = UnsyncBoxBody<Cursor<Vec<u8>>, Infallible>;

fn body(text: &str) -> Body {
    Full::new(Cursor::new(text.as_bytes().to_vec())).boxed_unsync()
}

/// What an authority answers.
type Answer = Box<dyn Fn(&Method, &str, SocketAddr) -> Response<Body> + Send + Sync>;

/// An authority that misbehaves, for what the real one does not do.
struct Authority {
    address: SocketAddr,
    root: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Authority {
    async fn start(
        answer: impl Fn(&Method, &str, SocketAddr) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root.pem");
        std::fs::write(&root, certificate.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, heard) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer, heard) = (acceptor.clone(), Arc::clone(&answer), Arc::clone(&heard));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                        heard.lock().unwrap().push(format!("{method} {path}"));
                        let answer = answer(&method, &path, address);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, root, asked, _folder: folder }
    }

    fn directory(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    fn count(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.as_str() == what).count()
    }
}

/// The directory and the nonces that an authority gives.
fn usual(method: &Method, path: &str, address: SocketAddr) -> Option<Response<Body>> {
    let url = |path: &str| format!("https://{address}/{path}");
    match (method.as_str(), path) {
        ("GET", "/dir") => {
            let directory =
                json!({ "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order") });
            Some(Response::new(body(&directory.to_string())))
        }
        ("HEAD", "/nonce") => {
            Some(Response::builder().header("replay-nonce", "bm9uY2U").body(body("")).unwrap())
        }
        _ => None,
    }
}

fn problem(status: u16, kind: &str, retry_after: &str) -> Response<Body> {
    let said = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": "so it is" });
    let answer = Response::builder().status(status).header("retry-after", retry_after);
    answer.header("replay-nonce", "bm9uY2U").body(body(&said.to_string())).unwrap()
}

#[tokio::test]
async fn an_authority_that_has_had_enough_is_left_alone() {
    for (retry_after, hours) in [("7200", 2.0..2.3), ("18446744073709551615", 168.0..190.0)] {
        let authority = Authority::start(move |method, path, address| {
            usual(method, path, address).unwrap_or_else(|| problem(429, "rateLimited", retry_after))
        })
        .await;
        let site = Site::new(Ports::free(), &authority.directory(), authority.root.clone(), "").await;
        let server = site.start().await;
        let failed = line(&server, "no certificate was issued").await;
        assert!(failed["advice"].as_str().unwrap().starts_with("wait;"), "{failed}");
        let time = |name: &str| failed[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let wait = time("next").duration_since(time("timestamp")).as_secs_f64() / 3600.0;
        assert!(hours.contains(&wait), "{retry_after}: {wait} hours");
        assert_eq!(authority.count("POST /account"), 1);
        stop(server).await;
        assert_eq!(authority.count("POST /account"), 1, "not once more");
    }
}

#[tokio::test]
async fn an_authority_that_attacks_gets_nowhere() {
    // A directory without end; one that leads to plain HTTP, inside; nonces without end; nothing but nonsense.
    let endless = || {
        let pieces = futures::stream::repeat_with(|| Ok(Frame::data(Cursor::new(vec![b' '; 64 * 1024]))));
        Response::new(StreamBody::new(pieces).boxed_unsync())
    };
    let attacks: [(Answer, &str); 5] = [
        (Box::new(move |_, _, _| endless()), "the response is longer than 262144 bytes"),
        (
            Box::new(|_, _, address| {
                let inside = format!("http://{address}/nonce");
                let directory = json!({ "newNonce": inside, "newAccount": inside, "newOrder": inside });
                Response::new(body(&directory.to_string()))
            }),
            "an address that is not https",
        ),
        (
            Box::new(|method, path, address| {
                usual(method, path, address).unwrap_or_else(|| problem(400, "badNonce", "0"))
            }),
            "badNonce",
        ),
        (Box::new(|_, _, _| Response::new(body("nonsense"))), "JSON"),
        (
            Box::new(|_, _, _| {
                Response::builder()
                    .status(302)
                    .header("location", "http://127.0.0.1/")
                    .body(body(""))
                    .unwrap()
            }),
            "JSON",
        ),
    ];
    for (answer, told) in attacks {
        let authority = Authority::start(answer).await;
        let site = Site::new(Ports::free(), &authority.directory(), authority.root.clone(), "").await;
        let server = site.start().await;
        let failed = line(&server, "no certificate was issued").await;
        assert!(failed["error"].as_str().unwrap().contains(told), "{failed}");
        assert!(failed["error"].as_str().unwrap().chars().count() <= 1000);
        eventually("another try", async || count(&server, "no certificate was issued") >= 2).await;
        stop(server).await;
    }
    // An address inside that nobody has permitted.
    let authority = Authority::start(|_, _, _| Response::new(body("{}"))).await;
    let site = Site::new(Ports::free(), &authority.directory(), authority.root.clone(), "").await;
    let mut command = site.command();
    let server = Process::start(command.env_remove("HUFU_OUTGOING_PRIVATE"));
    let failed = line(&server, "no certificate was issued").await;
    assert_eq!(failed["error"], "the address is not public");
    assert!(failed["advice"].as_str().unwrap().contains("outgoing_private"), "{failed}");
    assert_eq!(authority.asked.lock().unwrap().len(), 0);
    stop(server).await;
}

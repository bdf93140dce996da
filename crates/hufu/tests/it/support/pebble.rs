//! A certificate authority: Let's Encrypt's own for tests, with a DNS server that leads every name to this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Certificate;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, TIMEOUT};
use super::{eventually, free_address};

/// Where the authority looks for the answers to its challenges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) tls: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self { tls: free_address(), http: free_address() }
    }
}

/// The authority. It forgets everything when it is started again.
pub(crate) struct Pebble {
    folder: TempDir,
    address: SocketAddr,
    management: SocketAddr,
    dns: SocketAddr,
    /// In percent, how often it refuses a good nonce.
    nonce_reject: u32,
    _resolver: Process,
    process: Option<Process>,
}

impl Pebble {
    /// One that issues certificates which are valid for so many seconds.
    pub(crate) async fn start(ports: Ports, validity: u64) -> Self {
        let mut pebble = Self::stopped(ports, validity, &json!({}));
        pebble.run().await;
        pebble
    }

    /// One that has yet to be started. `more` is added to its configuration.
    pub(crate) fn stopped(ports: Ports, validity: u64, more: &Value) -> Self {
        let folder = tempfile::Builder::new().prefix("hufu-pebble").tempdir().unwrap();
        let (address, management, dns) = (free_address(), free_address(), free_address());
        // What it speaks https with, which is no certificate that it issues.
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("api.pem"), certificate.pem()).unwrap();
        std::fs::write(path("api.key"), key.serialize_pem()).unwrap();
        let mut config = json!({
            "listenAddress": address.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": path("api.pem"),
            "privateKey": path("api.key"),
            "httpPort": ports.http.port(),
            "tlsPort": ports.tls.port(),
            "retryAfter": { "authz": 1, "order": 1 },
            "keyAlgorithm": "ecdsa",
            "domainBlocklist": ["blocked.example.com"],
            "profiles": { "default": { "description": "for tests", "validityPeriod": validity } },
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        std::fs::write(path("pebble.json"), json!({ "pebble": config }).to_string()).unwrap();
        let resolver = Process::start(program("pebble-challtestsrv").args([
            "-dnsserver",
            &dns.to_string(),
            "-management",
            &free_address().to_string(),
            "-defaultIPv6=",
            "-http01=",
            "-https01=",
            "-tlsalpn01=",
            "-doh=",
        ]));
        Self { folder, address, management, dns, nonce_reject: 0, _resolver: resolver, process: None }
    }

    /// Lets it refuse this part of all good nonces, in percent.
    pub(crate) fn refuse_nonces(&mut self, percent: u32) {
        self.nonce_reject = percent;
    }

    pub(crate) async fn run(&mut self) {
        let mut command = program("pebble");
        command.arg("-config").arg(self.folder.path().join("pebble.json"));
        command.args(["-strict", "-dnsserver", &self.dns.to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        command.env("PEBBLE_WFE_NONCEREJECT", self.nonce_reject.to_string());
        let process = Process::start(&mut command);
        process.out.line_with("ACME directory available").await;
        let addresses = [self.address, self.management, self.dns];
        eventually("the authority", async || {
            addresses.iter().all(|address| std::net::TcpStream::connect(address).is_ok())
        })
        .await;
        self.process = Some(process);
    }

    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    /// The file with the root that its own https is believed by.
    pub(crate) fn api_root(&self) -> PathBuf {
        self.folder.path().join("api.pem")
    }

    /// How many lines of its log have this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let lines = self.process.as_ref().unwrap().out.lines();
        lines.iter().filter(|line| line.contains(text)).count()
    }

    /// How many orders there were.
    pub(crate) fn orders(&self) -> usize {
        self.count("Added order")
    }

    fn http(&self) -> reqwest::Client {
        let root = Certificate::from_pem(&std::fs::read(self.api_root()).unwrap()).unwrap();
        reqwest::Client::builder()
            .no_proxy()
            .user_agent("Hufu")
            .tls_certs_only([root])
            .timeout(TIMEOUT)
            .build()
            .unwrap()
    }

    /// The file with the root of the certificates that it issues.
    pub(crate) async fn root(&self) -> PathBuf {
        let answer = self.http().get(format!("https://{}/roots/0", self.management)).send().await.unwrap();
        let file = self.folder.path().join("root.pem");
        std::fs::write(&file, answer.text().await.unwrap()).unwrap();
        file
    }

    /// Says when a certificate should be renewed.
    pub(crate) async fn suggest(&self, certificate: &str, start: &str, end: &str) {
        let said = json!({ "suggestedWindow": { "start": start, "end": end } }).to_string();
        let body = json!({ "Certificate": certificate, "ARIResponse": said }).to_string();
        let url = format!("https://{}/set-renewal-info/", self.management);
        let answer = self.http().post(url).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    }
}

/// A program of `tests/pebble`.
fn program(name: &str) -> Command {
    let folder = std::env::var("HUFU_TEST_PEBBLE").unwrap_or_else(|_| {
        panic!(
            "these tests need a certificate authority: run them by ./test, or set HUFU_TEST_PEBBLE to a folder with the \
             programs of tests/pebble (`go build -C tests/pebble -o FOLDER/ tool`)"
        )
    });
    let program = Path::new(&folder).join(name);
    assert!(program.exists(), "HUFU_TEST_PEBBLE: {} is not there", program.display());
    Command::new(program)
}

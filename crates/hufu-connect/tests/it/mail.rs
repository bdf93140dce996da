//! Mail through a mail server.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hufu_connect::{
    BuildError, Fault, GuardedClient, Mail, Mailer, SendError, SenderContext, Smtp, SmtpSettings, guarded,
    mail::Encryption,
};
use hufu_types::Email;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::{
    everything_printed,
    fake_smtp::{Behaviour, Server},
    guard::Names,
    sender_context,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".into(),
        port: Some(port),
        encryption: Encryption::None,
        username: None,
        password: None,
        from: "虎符 <no-reply@hufu.example>".into(),
        timeout_seconds: 20,
    }
}

fn with_password(port: u16) -> SmtpSettings {
    SmtpSettings { username: Some("mailer".into()), password: Some("s3cret pw".into()), ..settings(port) }
}

fn mail() -> Mail {
    Mail {
        to: Email::parse("bob@example.com").unwrap(),
        subject: "登录验证码\r\nBcc: eve@example.com".into(),
        text: "Your code is 123456".into(),
        html: Some("<p>Your code is <b>123456</b></p>".into()),
        code: Some("123456".into()),
    }
}

async fn send(settings: &SmtpSettings) -> Result<(), SendError> {
    Smtp::new(settings, &sender_context()).unwrap().send(&mail()).await
}

#[tokio::test]
async fn a_message_arrives_with_both_forms() {
    let server = Server::start(Behaviour::default()).await;
    send(&settings(server.port)).await.unwrap();

    let seen = server.seen();
    assert_eq!(
        seen.commands[..3],
        ["EHLO hufu.example", "MAIL FROM:<no-reply@hufu.example>", "RCPT TO:<bob@example.com>"]
    );
    assert_eq!(seen.credentials, None);
    let [message] = seen.messages.as_slice() else { panic!("{seen:?}") };
    for line in [
        "To: bob@example.com\r\n",
        "Date: Sun, 01 Mar 2026 00:00:00 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "\r\nYour code is 123456\r\n",
        "\r\n<p>Your code is <b>123456</b></p>\r\n",
    ] {
        assert!(message.contains(line), "{line:?} is not in {message}");
    }
    assert!(
        message.lines().any(|line| line.starts_with("Message-ID: <") && line.ends_with("@hufu.example>"))
    );
    assert!(message.lines().any(|line| line.starts_with("From: =?utf-8?b?")));
    // A subject is a single line, whatever it contains.
    assert!(!message.lines().any(|line| line.starts_with("Bcc")), "{message}");
}

#[tokio::test]
async fn both_common_ways_to_authenticate_work() {
    for mechanisms in ["PLAIN LOGIN", "LOGIN"] {
        let server = Server::start(Behaviour { mechanisms, ..Behaviour::default() }).await;
        send(&with_password(server.port)).await.unwrap();
        let seen = server.seen();
        assert_eq!(seen.credentials, Some(("mailer".into(), "s3cret pw".into())), "{mechanisms}");
        assert_eq!(seen.messages.len(), 1);
    }
}

#[tokio::test]
async fn refusals_say_whose_fault_it_is() {
    let ok = Behaviour { mechanisms: "PLAIN", ..Behaviour::default() };
    for (behaviour, fault, code) in [
        (
            Behaviour { recipient: "550 5.1.1 <Bob@example.com>: no such user", ..ok.clone() },
            Fault::Recipient,
            "550",
        ),
        (Behaviour { recipient: "552 5.2.2 mailbox full", ..ok.clone() }, Fault::Recipient, "552"),
        (Behaviour { recipient: "451 4.7.1 try later", ..ok.clone() }, Fault::Temporary, "451"),
        (Behaviour { welcome: "535 5.7.8 wrong password", ..ok.clone() }, Fault::Settings, "535"),
        (Behaviour { taken: "554 5.7.1 looks like spam: 123456", ..ok.clone() }, Fault::Settings, "554"),
        (Behaviour { taken: "421 4.3.2 going down", ..ok.clone() }, Fault::Temporary, "421"),
    ] {
        let server = Server::start(behaviour).await;
        let error = send(&with_password(server.port)).await.unwrap_err();
        assert_eq!((error.fault(), error.code(), error.provider()), (fault, Some(code), "smtp"), "{error}");
        assert_eq!(error.is_permanent(), fault != Fault::Temporary);
        let printed = everything_printed(&error).to_lowercase();
        for hidden in ["bob@example.com", "123456", "s3cret"] {
            assert!(!printed.contains(hidden), "{printed}");
        }
    }
}

#[tokio::test]
async fn a_password_is_sent_to_nobody_who_cannot_take_it() {
    let server = Server::start(Behaviour::default()).await;
    let error = send(&with_password(server.port)).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Settings);
    assert!(!server.seen().commands.iter().any(|command| command.starts_with("AUTH")));
}

#[tokio::test]
async fn without_starttls_nothing_is_said_to_a_server_that_should_have_it() {
    let server = Server::start(Behaviour { mechanisms: "PLAIN", ..Behaviour::default() }).await;
    let settings = SmtpSettings { encryption: Encryption::Starttls, ..with_password(server.port) };
    let error = send(&settings).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Settings, "{error}");
    let seen = server.seen();
    assert!(seen.credentials.is_none() && seen.messages.is_empty());
    assert!(seen.commands.iter().all(|command| command.starts_with("EHLO") || command == "QUIT"), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_is_silent_or_away_may_do_better_next_time() {
    let server = Server::start(Behaviour { silent: true, ..Behaviour::default() }).await;
    let late = send(&SmtpSettings { timeout_seconds: 1, ..settings(server.port) }).await.unwrap_err();
    assert_eq!(late.fault(), Fault::Temporary);

    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let away = send(&settings(port)).await.unwrap_err();
    assert_eq!(away.fault(), Fault::Temporary);
}

#[tokio::test]
async fn settings_that_cannot_be_right_are_refused_at_once() {
    let named = |result: Result<Smtp, BuildError>| match result {
        Err(BuildError::Setting { setting, .. }) => setting,
        other => panic!("{other:?}"),
    };
    let sender_context = sender_context();
    let wrong = |settings: SmtpSettings| named(Smtp::new(&settings, &sender_context));
    assert_eq!(wrong(SmtpSettings { from: "nobody".into(), ..settings(25) }), "from");
    assert_eq!(wrong(SmtpSettings { host: String::new(), ..settings(25) }), "host");
    assert_eq!(wrong(SmtpSettings { username: None, ..with_password(25) }), "username");
    assert_eq!(wrong(SmtpSettings { password: None, ..with_password(25) }), "password");
}

/// A context in which names have these addresses, and these networks may be private.
fn named(names: &Arc<Names>, private: &[&str]) -> SenderContext {
    let private = private.iter().map(|network| network.parse().unwrap()).collect();
    let settings = guarded::Settings { private, ..Default::default() };
    SenderContext { http: GuardedClient::with_lookup(settings, names.clone()).unwrap(), ..sender_context() }
}

async fn send_in(context: &SenderContext, settings: &SmtpSettings) -> Result<(), SendError> {
    Smtp::new(settings, context).unwrap().send(&mail()).await
}

#[tokio::test]
async fn a_mail_server_that_is_not_public_is_not_connected_to() {
    let server = Server::start(Behaviour::default()).await;
    let context =
        SenderContext { http: GuardedClient::new(guarded::Settings::default()).unwrap(), ..sender_context() };
    for host in
        ["127.0.0.1", "localhost", "127.1", "2130706433", "::1", "::ffff:127.0.0.1", "169.254.169.254"]
    {
        for encryption in [Encryption::None, Encryption::Starttls, Encryption::Tls] {
            let settings = SmtpSettings { host: host.into(), encryption, ..settings(server.port) };
            let error = send_in(&context, &settings).await.unwrap_err();
            assert_eq!((error.fault(), error.summary()), (Fault::Settings, None), "{host}: {error}");
            assert!(error.to_string().contains("outgoing_private"), "{host}: {error}");
        }
    }
    assert!(server.seen().commands.is_empty(), "{:?}", server.seen());
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_message_goes_to_the_address_that_was_checked() {
    let server = Server::start(Behaviour::default()).await;
    let settings = SmtpSettings { host: "mail.example.com".into(), ..settings(server.port) };
    // Whatever the name has afterwards.
    let names = Names::new(&[&[LOOPBACK], &[INSIDE]]);
    send_in(&named(&names, &["127.0.0.1/32"]), &settings).await.unwrap();
    assert_eq!((names.asked(), server.seen().messages.len()), (vec!["mail.example.com".to_owned()], 1));
    // One bad address among good ones, before or behind them.
    for addresses in [[LOOPBACK, INSIDE], [INSIDE, LOOPBACK]] {
        let error =
            send_in(&named(&Names::new(&[&addresses]), &["127.0.0.1/32"]), &settings).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Settings, "{error}");
    }
    let nowhere = send_in(&named(&Names::new(&[&[]]), &["127.0.0.1/32"]), &settings).await.unwrap_err();
    assert_eq!(nowhere.fault(), Fault::Temporary);
    assert_eq!(server.connections(), 1);
}

/// The certificate has to be the name's, though the connection goes to an address.
#[tokio::test]
async fn the_server_is_greeted_by_its_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings =
        SmtpSettings { host: "mail.example.com".into(), encryption: Encryption::Tls, ..settings(port) };
    let context = named(&Names::new(&[&[LOOPBACK]]), &["127.0.0.1/32"]);
    let heard = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 4096];
        let length = stream.read(&mut hello).await.unwrap();
        hello.truncate(length);
        hello
    };
    let (hello, sent) = tokio::join!(heard, send_in(&context, &settings));
    assert!(hello.windows(16).any(|part| part == b"mail.example.com"));
    assert!(sent.unwrap_err().summary().is_some());
}

/// Whoever sets the address of a server in a private network learns nothing of what the server says.
#[tokio::test]
async fn a_private_server_is_not_quoted() {
    let ok = Behaviour { mechanisms: "PLAIN", ..Behaviour::default() };
    let connection = "the connection to the mail server failed";
    let (login, message) = ("the mail server refused the login", "the mail server refused the message");
    for (behaviour, told) in [
        (Behaviour { welcome: "535 5.7.8 ask db7.internal", ..ok.clone() }, login),
        (Behaviour { mechanisms: "XINTERNAL", ..ok.clone() }, login),
        (Behaviour { recipient: "550 5.1.1 no such user at db7.internal", ..ok.clone() }, message),
        (Behaviour { taken: "421 4.3.2 db7.internal is going down", ..ok.clone() }, message),
        (Behaviour { greeting: "554 db7.internal has no service here", ..ok.clone() }, connection),
        (Behaviour { greeting: "SSH-2.0-OpenSSH_9.6 db7.internal", ..ok.clone() }, connection),
    ] {
        let server = Server::start(behaviour).await;
        let error = send(&with_password(server.port)).await.unwrap_err();
        assert_eq!(error.summary(), Some(told), "{error}");
    }
    let server = Server::start(ok).await;
    let starttls = SmtpSettings { encryption: Encryption::Starttls, ..with_password(server.port) };
    assert_eq!(send(&starttls).await.unwrap_err().summary(), Some("TLS with the mail server failed"));
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(send(&settings(port)).await.unwrap_err().summary(), Some(connection));
}

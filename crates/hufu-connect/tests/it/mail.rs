//! Mail through a mail server.

use hufu_connect::{BuildError, Fault, Mail, Mailer, SendError, Smtp, SmtpSettings, mail::Encryption};
use hufu_types::Email;
use tokio::net::TcpListener;

use crate::{
    everything_printed,
    fake_smtp::{Behaviour, Server},
    sender_context,
};

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

//! The sender for development.

use hufu_connect::{
    BuildError, Mail, MailSettings, Sms, SmsSettings, TemplateKind,
    outbox::{CAPACITY, Channel},
};
use hufu_types::{Email, Language, Phone};

use crate::{NOW, sender_context};

fn sms(code: &str) -> Sms {
    Sms {
        to: Phone::parse("+8613800000000").unwrap(),
        code: Some(code.into()),
        minutes: 5,
        template: TemplateKind::Login,
        language: Language::English,
        text: format!("Shop: {code}"),
    }
}

#[tokio::test]
async fn messages_are_kept_and_announced() {
    let sender_context = sender_context();
    let mut news = sender_context.outbox.as_ref().unwrap().subscribe();
    let mail = Mail {
        to: Email::parse("bob@example.com").unwrap(),
        subject: "Hello".into(),
        text: "Your code is 123456".into(),
        html: None,
        code: Some("123456".into()),
    };
    MailSettings::Outbox {}.build(&sender_context).unwrap().send(&mail).await.unwrap();
    SmsSettings::Outbox {}.build(&sender_context).unwrap().send(&sms("654321")).await.unwrap();

    let list = sender_context.outbox.as_ref().unwrap().list();
    let [newer, older] = list.as_slice() else { panic!("{list:?}") };
    assert_eq!((older.number, older.channel, older.at), (1, Channel::Email, NOW));
    assert_eq!((older.to.as_str(), older.subject.as_deref()), ("bob@example.com", Some("Hello")));
    assert_eq!(older.code.as_deref(), Some("123456"));
    assert_eq!((newer.number, newer.channel), (2, Channel::Sms));
    assert_eq!((newer.text.as_str(), newer.code.as_deref()), ("Shop: 654321", Some("654321")));
    assert_eq!((&news.recv().await.unwrap(), &news.recv().await.unwrap()), (older, newer));
    assert!(!format!("{list:?}").contains("654321"));
}

#[tokio::test]
async fn the_oldest_go() {
    let sender_context = sender_context();
    let sender = SmsSettings::Outbox {}.build(&sender_context).unwrap();
    for n in 0..CAPACITY + 3 {
        sender.send(&sms(&n.to_string())).await.unwrap();
    }
    let list = sender_context.outbox.as_ref().unwrap().list();
    assert_eq!(list.len(), CAPACITY);
    assert_eq!((list[0].number, list[CAPACITY - 1].number), (CAPACITY as u64 + 3, 4));
}

/// Without an outbox, nothing is silently discarded.
#[test]
fn without_an_outbox_there_is_no_sender() {
    let sender_context = hufu_connect::SenderContext { outbox: None, ..sender_context() };
    assert!(matches!(MailSettings::Outbox {}.build(&sender_context), Err(BuildError::NoOutbox)));
    assert!(matches!(SmsSettings::Outbox {}.build(&sender_context), Err(BuildError::NoOutbox)));
}

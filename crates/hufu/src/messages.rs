//! Messages in development, shown in the terminal.

use hufu_app::connect::Outbox;
use hufu_app::connect::outbox::{Channel, Message};
use tokio::sync::broadcast::error::RecvError;

use crate::output::say;

/// Prints every message from now on, until the process ends. `page` is the address that shows all of them.
pub(crate) async fn print_all(outbox: Outbox, page: String) {
    let mut news = outbox.subscribe();
    loop {
        match news.recv().await {
            Ok(message) => say!("{}", block(&message)),
            Err(RecvError::Lagged(lost)) => say!("  … and {lost} more messages: {page}\n"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// A message as a block of lines, without terminal control characters.
fn block(message: &Message) -> String {
    let channel = match message.channel {
        Channel::Sms => "SMS",
        Channel::Email => "Mail",
    };
    let mut lines = vec![format!("  ✉ {channel} to {}", message.to)];
    lines.extend(message.subject.iter().map(|subject| format!("    {subject}")));
    lines.extend(
        message.text.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("    {line}")),
    );
    lines.extend(message.code.iter().map(|code| format!("    code {code}")));
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    lines.iter().map(|line| line.chars().map(plain).chain(['\n']).collect::<String>()).collect()
}

#[cfg(test)]
mod tests {
    use hufu_types::Timestamp;

    use super::*;

    #[test]
    fn a_message_is_one_readable_block() {
        let message = Message {
            number: 1,
            channel: Channel::Email,
            to: "bob@example.com".to_owned(),
            subject: Some("Your code".to_owned()),
            text: "Hello,\n\nyour code is 123456.\u{1b}[2J".to_owned(),
            code: Some("123456".to_owned()),
            at: Timestamp(0),
        };
        assert_eq!(
            block(&message),
            "  ✉ Mail to bob@example.com\n    Your code\n    Hello,\n    your code is 123456.\u{fffd}[2J\n    code 123456\n"
        );
    }
}

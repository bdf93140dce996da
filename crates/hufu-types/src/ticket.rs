//! Logins by QR code: a browser shows a picture, a phone says who its person is, and the browser logs in.
//!
//! What belongs to one such login is a *ticket*. It has two names: the secret of the browser that asked for it, and the
//! scene that stands in the picture, which everybody can read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::application::text_enum;
use crate::lifetime;

text_enum! {
    /// Who scans the picture of a ticket.
    TicketKind {
        /// The pool's own app, whose user is logged in there.
        App = "app",
        /// WeChat, which opens a mini program.
        MiniProgram = "mini-program",
        /// WeChat, which opens a mini program, to bind its person's WeChat to the account of whoever shows the picture.
        Binding = "binding",
        /// WeChat, which opens an official account.
        OfficialAccount = "official-account",
    }
}

text_enum! {
    /// What became of a ticket. That it has expired is not stored: the time says so.
    TicketState {
        /// Nobody has scanned it yet.
        Created = "created",
        /// A phone has scanned it.
        Scanned = "scanned",
        /// The phone has proved who its person is. The browser may log in.
        Confirmed = "confirmed",
        /// The browser has logged in.
        Consumed = "consumed",
        /// The person did not want to log in.
        Cancelled = "cancelled",
        /// The phone could not prove who its person is.
        Failed = "failed",
    }
}

impl TicketState {
    /// Whether a phone may still take the ticket from here to `next`. Confirming and cancelling come after scanning.
    pub const fn leads_to(self, next: Self) -> bool {
        match next {
            Self::Scanned | Self::Failed => matches!(self, Self::Created | Self::Scanned),
            Self::Confirmed | Self::Cancelled => matches!(self, Self::Scanned),
            Self::Created | Self::Consumed => false,
        }
    }

    /// Whether nothing comes after it but that the browser logs in.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Created | Self::Scanned)
    }
}

/// How long QR codes and the tickets of their logins hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QrRules {
    /// How long a picture can be scanned and confirmed.
    #[serde(with = "lifetime")]
    pub life: Duration,
    /// How long the browser may log in after that.
    #[serde(with = "lifetime")]
    pub ticket: Duration,
}

impl QrRules {
    /// The longest of both: half an hour. A picture that holds longer is a picture that others find.
    pub const LONGEST: Duration = Duration::from_secs(30 * 60);
}

impl Default for QrRules {
    fn default() -> Self {
        Self { life: Duration::from_secs(120), ticket: Duration::from_secs(300) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_scanned_before_it_is_confirmed_and_ends_once() {
        use TicketState::{Cancelled, Confirmed, Consumed, Created, Failed, Scanned};
        let permitted: Vec<_> = TicketState::ALL
            .iter()
            .flat_map(|from| TicketState::ALL.iter().map(move |to| (*from, *to)))
            .filter(|(from, to)| from.leads_to(*to))
            .collect();
        let expected = [
            (Created, Scanned),
            (Created, Failed),
            (Scanned, Scanned),
            (Scanned, Confirmed),
            (Scanned, Cancelled),
            (Scanned, Failed),
        ];
        assert_eq!(permitted, expected);
        assert!([Confirmed, Consumed, Cancelled, Failed].iter().all(|state| state.is_final()));
    }

    #[test]
    fn the_rules_are_read_like_other_lifetimes() {
        let rules: QrRules = serde_json::from_str(r#"{"life":"60s"}"#).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), r#"{"life":"1m","ticket":"5m"}"#);
    }
}

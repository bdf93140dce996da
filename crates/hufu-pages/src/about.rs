//! What an application shows of itself on the pages where people deal with it: its logo, and its own pages.

use hufu_types::{Application, origin_of};

use crate::looks::Looks;

/// See the module documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// The application's name.
    pub(crate) name: String,
    /// What stands in place of a logo.
    pub(crate) initial: String,
    /// The address of the logo.
    pub(crate) logo: Option<String>,
    /// How it uses what it learns of people.
    pub(crate) policy: Option<String>,
    /// Its terms of service.
    pub(crate) terms: Option<String>,
    /// Its home page.
    pub(crate) home: Option<String>,
}

impl About {
    /// What this application shows.
    pub(crate) fn of(application: &Application, looks: &Looks) -> Self {
        let client = &application.client;
        let initial = application.name.chars().find(|c| c.is_alphanumeric()).unwrap_or('·');
        Self {
            name: application.name.clone(),
            initial: initial.to_uppercase().collect(),
            logo: looks.logo().map(str::to_owned),
            policy: client.policy_uri.clone(),
            terms: client.tos_uri.clone(),
            home: client.client_uri.clone(),
        }
    }

    /// The origins that its pictures are loaded from.
    pub(crate) fn img_origins(&self) -> Vec<String> {
        self.logo.as_deref().and_then(origin_of).into_iter().collect()
    }

    /// Whether there is a page of its own to link to.
    pub(crate) const fn has_pages(&self) -> bool {
        self.policy.is_some() || self.terms.is_some() || self.home.is_some()
    }
}

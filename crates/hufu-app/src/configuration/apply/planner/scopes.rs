//! The scopes and the branding of a pool. They are kept with its settings, and are tables of their own in the file.

use hufu_types::{Branding, PoolScope, PoolSettings, SettingProblem};

use super::super::plan::PlanAction;
use super::PoolPlanner;

impl<'a> PoolPlanner<'a> {
    /// The settings that the pool gets, if the file says something about them: those of the file or the present ones, with
    /// the scopes and the branding of the file, and the other present ones unless they are pruned.
    pub(super) fn settings(&mut self) -> Option<PoolSettings> {
        let desired = self.desired;
        let scopes = self.wanted_scopes();
        let before = self.present.stored.pools.first().map(|pool| &pool.settings);
        let branding = desired.branding.clone();
        let branding = branding.or_else(|| before.map(|before| before.branding.clone())).unwrap_or_default();
        if desired.settings.is_none()
            && before.map_or_else(|| branding == Branding::default(), |before| before.branding == branding)
            && scopes == before.map(|before| before.scopes.as_slice()).unwrap_or_default()
        {
            return None;
        }
        let settings = desired.settings.clone().or_else(|| before.cloned()).unwrap_or_default();
        let settings = PoolSettings { scopes, branding, ..settings };
        for SettingProblem { path, reason } in settings.scope_problems() {
            let (index, within) = path.split_once('.').unwrap_or((&path, ""));
            let place = index.parse().ok().and_then(|index: usize| settings.scopes.get(index));
            let in_file =
                place.and_then(|scope| desired.scopes.iter().find(|one| one.scope.name == scope.name));
            match (in_file, place) {
                (Some(one), _) => self.refuse(one.place_of(within), reason),
                (None, Some(scope)) => {
                    let reason =
                        format!("the scope `{}`, which the user pool has already: {reason}", scope.name);
                    self.refuse(desired.at, reason);
                }
                (None, None) => self.refuse(desired.at, reason),
            }
        }
        Some(settings)
    }

    /// Scopes have no order of their own: those of the file come first.
    fn wanted_scopes(&self) -> Vec<PoolScope> {
        let in_file = self.desired.scopes.iter().map(|desired| desired.scope.clone());
        let others = self.scopes_not_in_file().filter(|_| !self.task.prune).cloned();
        let wanted: Vec<_> = in_file.chain(others).collect();
        // Another order alone is no change.
        let stored = self.stored_scopes();
        let is_same = wanted.len() == stored.len() && wanted.iter().all(|scope| stored.contains(scope));
        if is_same { stored.to_vec() } else { wanted }
    }

    fn stored_scopes(&self) -> &'a [PoolScope] {
        self.present.stored.pools.first().map(|pool| pool.settings.scopes.as_slice()).unwrap_or_default()
    }

    fn scopes_not_in_file(&self) -> impl Iterator<Item = &'a PoolScope> + use<'a> {
        let desired = &self.desired.scopes;
        self.stored_scopes().iter().filter(|scope| !desired.iter().any(|one| one.scope.name == scope.name))
    }

    /// Adds a line for each scope.
    pub(super) fn scopes(&mut self) {
        for desired in &self.desired.scopes {
            let (wanted, label) = (&desired.scope, format!("scope {}", desired.scope.name));
            let Some(present) = self.stored_scopes().iter().find(|present| present.name == wanted.name)
            else {
                self.line(PlanAction::Add, label);
                continue;
            };
            let differs =
                [("title", wanted.title != present.title), ("claims", wanted.claims != present.claims)];
            let changed: Vec<&str> =
                differs.iter().filter_map(|(key, differs)| differs.then_some(*key)).collect();
            self.compared(&label, &changed, &[]);
        }
        for present in self.scopes_not_in_file().collect::<Vec<_>>() {
            let label = format!("scope {}", present.name);
            if self.task.prune {
                self.line(PlanAction::Disable, format!("{label}: taken away"));
            } else {
                self.line(PlanAction::LeftAlone, label);
            }
        }
    }
}

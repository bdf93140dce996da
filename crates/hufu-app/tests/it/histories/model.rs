//! The model: the expected state, by somebody who knows which person is which.

use std::collections::{BTreeMap, BTreeSet};

use hufu_app::people::identities::BindOutcome;
use hufu_types::flow::Stage;
use hufu_types::resolution::PhoneUse;
use hufu_types::{AssociationMode, ConflictRule, FlowId, MergeId, TokenHash, UserId};

use super::{APPS, Act, Done, MAX_TRIES, NUMBERS, Operation, Proof, Visit};

/// An id that leads to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    /// A person's id in an app.
    Openid(u8, &'static str),
    /// A person's id in an Open Platform account. The last number is its version, because UnionIDs change.
    Unionid(u8, &'static str, u8),
    /// A verified phone number.
    Number(u8),
}

impl Id {
    /// Whether an account cannot have both: they are different ids of the same kind from the same place.
    fn excludes(self, other: Self) -> bool {
        self != other
            && match (self, other) {
                (Self::Openid(_, a), Self::Openid(_, b))
                | (Self::Unionid(_, a, _), Self::Unionid(_, b, _)) => a == b,
                _ => false,
            }
    }
}

impl Proof {
    pub(super) fn openid(self) -> Id {
        Id::Openid(self.person, APPS[self.app].0)
    }

    pub(super) fn unionid(self) -> Option<Id> {
        self.unionid.map(|version| Id::Unionid(self.person, APPS[self.app].1, version))
    }

    fn ids(self) -> impl Iterator<Item = Id> {
        std::iter::once(self.openid()).chain(self.unionid())
    }

    pub(super) fn number(self) -> u8 {
        NUMBERS[usize::from(self.person)]
    }
}

/// The state of the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Model {
    /// All accounts, including merged ones.
    pub(super) accounts: BTreeSet<UserId>,
    /// The row that an id leads to.
    pub(super) owners: BTreeMap<Id, UserId>,
    /// The row that has a number unverified.
    pub(super) waits_in: BTreeMap<u8, UserId>,
    /// Merged accounts, and what they were merged into.
    pub(super) into: BTreeMap<UserId, UserId>,
    /// The waiting logins and their handles.
    pub(super) flows: BTreeMap<String, Vec<u8>>,
    /// The account that a person chose when they came with this OpenID, and the one that they did not choose.
    pub(super) choices: BTreeMap<Id, (UserId, UserId)>,
}

/// What is needed to undo a merge.
#[derive(Clone, Debug)]
pub(super) struct Undoing {
    pub(super) id: MergeId,
    survivor: UserId,
    merged: UserId,
    number: Option<u8>,
    repointed: Vec<UserId>,
    is_undone: bool,
}

/// A login that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) flow: FlowId,
    pub(super) handle: TokenHash,
    pub(super) visit: Visit,
    pub(super) stage: Stage,
    may_create: bool,
    pub(super) candidates: Vec<UserId>,
    tries: i64,
}

/// A model, and what cannot be read from the store.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) model: Model,
    pub(super) merges: Vec<Undoing>,
    pub(super) waiting: Vec<Waiting>,
}

/// Where a login leads.
enum Found {
    /// To this account. Also which ids are new to it, whether it may take the number, and the account that
    /// disagrees.
    In { user: UserId, new: Vec<Id>, fills: bool, disagrees_with: Option<UserId> },
    /// To two accounts. The person chooses one.
    Either(UserId, UserId),
    /// To an account that has to be created.
    New { fills: bool },
    /// To the question which account to use.
    Ask { may_create: bool },
    /// Nowhere.
    Nowhere,
}

impl Model {
    pub(super) fn survivor(&self, row: &UserId) -> UserId {
        self.into.get(row).unwrap_or(row).clone()
    }

    fn account_of(&self, id: Id) -> Option<UserId> {
        self.owners.get(&id).map(|row| self.survivor(row))
    }

    /// Forgets the choices that involve one of these accounts.
    fn forget(&mut self, changed: &[&UserId]) {
        self.choices.retain(|_, (chosen, other)| !changed.contains(&&*chosen) && !changed.contains(&&*other));
    }

    /// The accounts that this person can prove to own.
    pub(super) fn accounts_of(&self, person: u8) -> Vec<UserId> {
        let is_theirs = |id: &&Id| match id {
            Id::Openid(owner, _) | Id::Unionid(owner, ..) => *owner == person,
            Id::Number(number) => *number == NUMBERS[usize::from(person)],
        };
        let accounts: BTreeSet<UserId> =
            self.owners.keys().filter(is_theirs).filter_map(|id| self.account_of(*id)).collect();
        accounts.into_iter().collect()
    }

    /// The ids of a person in apps and Open Platform accounts, with the rows that they lead to.
    pub(super) fn ids_of(&self, owner: u8) -> Vec<(Id, UserId)> {
        let is_theirs =
            |id: &Id| matches!(id, Id::Openid(person, _) | Id::Unionid(person, ..) if *person == owner);
        let ids = self.owners.iter().filter(|(id, _)| is_theirs(id));
        ids.map(|(id, row)| (*id, row.clone())).collect()
    }

    /// Whether an account has a different id from the same place as this one.
    fn has_another(&self, account: &UserId, id: Id) -> bool {
        self.owners.iter().any(|(held, row)| id.excludes(*held) && self.survivor(row) == *account)
    }

    fn has_other_identity(&self, account: &UserId, proof: Proof) -> bool {
        proof.ids().any(|id| self.has_another(account, id))
    }

    /// Where a login leads.
    fn find(&self, visit: Visit) -> Found {
        let proof = visit.proof;
        let proves_number = visit.phone.is_some();
        let owner = visit.phone.and_then(|_| self.account_of(Id::Number(proof.number())));
        let (by_openid, by_unionid) =
            (self.account_of(proof.openid()), proof.unionid().and_then(|id| self.account_of(id)));
        let by_number = owner.clone().filter(|_| visit.phone == Some(PhoneUse::LogIn));
        let new: Vec<Id> = proof.ids().filter(|id| !self.owners.contains_key(id)).collect();
        let chooses = visit.conflict == ConflictRule::Choose;
        let fills = proves_number && owner.is_none();
        let alone = |user: &UserId, other: &UserId| Found::In {
            user: user.clone(),
            new: Vec::new(),
            fills: false,
            disagrees_with: Some(other.clone()),
        };
        match (by_openid.clone().or(by_unionid.clone()), by_number) {
            // The number leads to a different account than the ids. The number wins, and nothing moves.
            (Some(known), Some(owner)) if known != owner && chooses => Found::Either(owner, known),
            (Some(known), Some(owner)) if known != owner => alone(&owner, &known),
            (Some(known), _) => {
                let disagree = by_openid.zip(by_unionid).filter(|(a, b)| a != b).map(|(_, b)| b);
                if let Some(other) = disagree {
                    if chooses {
                        return Found::Either(known, other);
                    }
                    return Found::In { user: known, new: Vec::new(), fills, disagrees_with: Some(other) };
                }
                // An account whose UnionID has changed keeps the old one.
                let changed =
                    new.iter().any(|id| self.has_another(&known, *id) && matches!(id, Id::Unionid(..)));
                let knows_openid = self.owners.contains_key(&proof.openid());
                if changed && knows_openid {
                    let disagrees_with = Some(known.clone());
                    return Found::In { user: known, new: Vec::new(), fills, disagrees_with };
                }
                let disagrees_with = owner.filter(|owner| *owner != known);
                Found::In { user: known, new, fills, disagrees_with }
            }
            // The account already has another id of the same source. The number logs in, and nothing is
            // bound.
            (None, Some(owner)) if self.has_other_identity(&owner, proof) => alone(&owner, &owner),
            (None, Some(user)) => Found::In { user, new, fills: false, disagrees_with: None },
            (None, None) => {
                let matched = owner.filter(|owner| !self.has_other_identity(owner, proof));
                match (visit.mode, matched) {
                    (AssociationMode::Field, Some(user)) => {
                        Found::In { user, new, fills: false, disagrees_with: None }
                    }
                    (AssociationMode::Ask, _) => Found::Ask { may_create: !visit.login_only },
                    _ if !visit.login_only => Found::New { fills },
                    (AssociationMode::Field, None) => Found::Ask { may_create: false },
                    (AssociationMode::None, _) => Found::Nowhere,
                }
            }
        }
    }

    /// Binds these ids to an account.
    fn attach(&mut self, user: &UserId, new: impl IntoIterator<Item = Id>) {
        for id in new {
            self.owners.entry(id).or_insert_with(|| user.clone());
        }
    }

    /// Gives an account a proved number if it has none.
    fn fill(&mut self, user: &UserId, number: u8) {
        if self.number_of(user).is_none() {
            self.owners.insert(Id::Number(number), user.clone());
            self.waits_in.remove(&number);
        }
    }

    fn make(&mut self, user: &UserId, proof: Proof, fills: bool) {
        self.accounts.insert(user.clone());
        self.attach(user, proof.ids());
        if fills {
            self.fill(user, proof.number());
        }
    }

    fn bind(&mut self, user: &UserId, proof: Proof) -> BindOutcome {
        let account = self.survivor(user);
        for id in proof.ids() {
            match self.account_of(id) {
                Some(owner) if owner != account => return BindOutcome::TakenByAnother,
                None if self.has_another(&account, id) => return BindOutcome::HasAnother,
                _ => {}
            }
        }
        self.attach(&account, proof.ids());
        BindOutcome::Bound
    }

    fn number(&mut self, number: u8, vouched: bool, user: &UserId) -> bool {
        let is_free = !self.owners.contains_key(&Id::Number(number)) && !self.waits_in.contains_key(&number);
        if is_free {
            self.accounts.insert(user.clone());
            if vouched {
                self.owners.insert(Id::Number(number), user.clone());
            } else {
                self.waits_in.insert(number, user.clone());
            }
        }
        is_free
    }

    /// The number in this row.
    fn number_of(&self, row: &UserId) -> Option<u8> {
        self.owners.iter().find_map(|(id, at)| match id {
            Id::Number(number) if at == row => Some(*number),
            _ => None,
        })
    }
}

impl World {
    /// The expected outcome of an operation.
    pub(super) fn play(&mut self, operation: &Operation) -> Done {
        match operation {
            Operation::Arrive { visit, candidate, flow, handle } => {
                self.arrive(*visit, candidate, flow, handle)
            }
            Operation::Bind { user, proof } => Done::Bound(self.model.bind(user, *proof)),
            Operation::Number { number, vouched, user } => {
                Done::Made(self.model.number(*number, *vouched, user))
            }
            Operation::Merge { survivor, merged, id } => Done::Merged(self.merge(survivor, merged, id)),
            Operation::Undo { id } => Done::Undone(self.undo(id)),
            Operation::Unbind { user, id } => {
                let owners = &mut self.model.owners;
                let is_there =
                    owners.get(id).is_some_and(|row| row == user || self.model.into.get(row) == Some(user));
                if is_there {
                    owners.remove(id);
                    self.model.forget(&[user]);
                }
                Done::Unbound(if is_there { "done" } else { "not bound" })
            }
            Operation::GoOn { flow, handle, next, act, candidate, merge, .. } => {
                let at = self.waiting.iter().position(|w| w.flow == *flow && w.handle == *handle);
                let Some(at) = at else { return Done::Unknown };
                let waiting = self.waiting[at].clone();
                match self.act(&waiting, act, candidate, merge) {
                    Done::Failed(why) => {
                        let tries = waiting.tries + 1;
                        if tries >= MAX_TRIES {
                            self.end(at);
                            return Done::Over(why);
                        }
                        self.model.flows.insert(flow.to_string(), next.as_bytes().to_vec());
                        self.waiting[at] = Waiting { tries, handle: next.clone(), ..waiting };
                        Done::Failed(why)
                    }
                    done => {
                        self.end(at);
                        done
                    }
                }
            }
        }
    }

    fn end(&mut self, at: usize) {
        let ended = self.waiting.remove(at);
        self.model.flows.remove(ended.flow.as_str());
    }

    fn arrive(&mut self, visit: Visit, candidate: &UserId, flow: &FlowId, handle: &TokenHash) -> Done {
        let (stage, may_create, candidates) = match self.model.find(visit) {
            Found::In { user, new, fills, disagrees_with } => {
                self.model.attach(&user, new);
                if fills {
                    self.model.fill(&user, visit.proof.number());
                }
                return Done::In { user, newly_created: false, disagrees_with };
            }
            Found::New { fills } => {
                self.model.make(candidate, visit.proof, fills);
                return Done::In { user: candidate.clone(), newly_created: true, disagrees_with: None };
            }
            Found::Nowhere => return Done::LoginOnly,
            Found::Either(first, second) => match self.model.choices.get(&visit.proof.openid()) {
                Some((chosen, other))
                    if [&first, &second].iter().all(|user| [chosen, other].contains(user)) =>
                {
                    return Done::In { user: chosen.clone(), newly_created: false, disagrees_with: None };
                }
                _ => (Stage::Select, false, vec![first, second]),
            },
            Found::Ask { may_create } => (Stage::Associate, may_create, Vec::new()),
        };
        self.model.flows.insert(flow.to_string(), handle.as_bytes().to_vec());
        self.waiting.push(Waiting {
            flow: flow.clone(),
            handle: handle.clone(),
            visit,
            stage,
            may_create,
            candidates: candidates.clone(),
            tries: 0,
        });
        Done::Waits { stage, may_create, candidates }
    }

    /// The expected outcome of a step in a waiting login.
    fn act(&mut self, waiting: &Waiting, act: &Act, candidate: &UserId, merge: &MergeId) -> Done {
        let visit = waiting.visit;
        let is_in = |user: UserId| Done::In { user, newly_created: false, disagrees_with: None };
        let model = &mut self.model;
        match act {
            Act::GiveUp => Done::GivenUp,
            Act::Create if !waiting.may_create => Done::Failed("may not create"),
            Act::Create => match model.find(visit) {
                Found::Ask { may_create: true } => {
                    let fills = visit.phone.is_some()
                        && !model.owners.contains_key(&Id::Number(visit.proof.number()));
                    model.make(candidate, visit.proof, fills);
                    Done::In { user: candidate.clone(), newly_created: true, disagrees_with: None }
                }
                // The ids lead to an account by now.
                Found::In { user, new, .. } => {
                    model.attach(&user, new);
                    is_in(user)
                }
                Found::Either(..) => Done::Unknown,
                _ => Done::Failed("may not create"),
            },
            Act::BindByNumber => match model.account_of(Id::Number(visit.proof.number())) {
                Some(user) => self.bind_in_flow(user, visit.proof),
                None => Done::Failed("no account"),
            },
            Act::BindByPassword(user) => {
                let user = model.survivor(user);
                self.bind_in_flow(user, visit.proof)
            }
            Act::Choose(user) => {
                if !self.are_still_candidates(waiting, &[user]) {
                    return Done::Failed("no candidate");
                }
                let chosen = self.model.survivor(user);
                if let Some(other) = self.candidates(visit).into_iter().find(|user| *user != chosen) {
                    self.model.choices.insert(visit.proof.openid(), (chosen.clone(), other));
                }
                is_in(chosen)
            }
            Act::Merge(survivor) => {
                let other = waiting.candidates.iter().find(|user| *user != survivor).unwrap().clone();
                if !self.are_still_candidates(waiting, &[survivor, &other]) {
                    return Done::Failed("no candidate");
                }
                match self.merge(survivor, &other, merge) {
                    "done" => is_in(survivor.clone()),
                    _ => Done::Failed("unusable"),
                }
            }
        }
    }

    fn bind_in_flow(&mut self, user: UserId, proof: Proof) -> Done {
        let model = &mut self.model;
        if proof.ids().filter_map(|id| model.account_of(id)).any(|owner| owner != user) {
            return Done::Failed("taken");
        }
        if model.has_other_identity(&user, proof) {
            return Done::Failed("has another");
        }
        model.attach(&user, proof.ids());
        Done::In { user, newly_created: false, disagrees_with: None }
    }

    /// The accounts that a proof leads to.
    fn candidates(&self, visit: Visit) -> Vec<UserId> {
        match self.model.find(visit) {
            Found::Either(a, b) => vec![a, b],
            Found::In { user, disagrees_with, .. } => std::iter::once(user).chain(disagrees_with).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the proof still leads to these accounts.
    fn are_still_candidates(&self, waiting: &Waiting, chosen: &[&UserId]) -> bool {
        let lead_to = self.candidates(waiting.visit);
        chosen.iter().all(|user| lead_to.contains(&self.model.survivor(user)))
    }

    fn merge(&mut self, survivor: &UserId, merged: &UserId, id: &MergeId) -> &'static str {
        let model = &mut self.model;
        if model.survivor(survivor) == model.survivor(merged) {
            return "same account";
        }
        if model.into.contains_key(survivor) || model.into.contains_key(merged) {
            return "unusable";
        }
        let number = model.number_of(merged).filter(|_| model.number_of(survivor).is_none());
        if let Some(number) = number {
            model.owners.insert(Id::Number(number), survivor.clone());
        }
        let mut repointed = Vec::new();
        for (row, into) in &mut model.into {
            if into == merged {
                *into = survivor.clone();
                repointed.push(row.clone());
            }
        }
        model.into.insert(merged.clone(), survivor.clone());
        model.forget(&[survivor, merged]);
        let (id, survivor, merged) = (id.clone(), survivor.clone(), merged.clone());
        self.merges.push(Undoing { id, survivor, merged, number, repointed, is_undone: false });
        "done"
    }

    fn undo(&mut self, id: &MergeId) -> &'static str {
        let model = &mut self.model;
        let Some(merge) = self.merges.iter_mut().find(|merge| merge.id == *id) else { return "unknown" };
        if merge.is_undone {
            return "before";
        }
        if model.into.contains_key(&merge.survivor) || model.into.get(&merge.merged) != Some(&merge.survivor)
        {
            return "merged on";
        }
        merge.is_undone = true;
        if let Some(number) = merge.number
            && model.owners.get(&Id::Number(number)) == Some(&merge.survivor)
        {
            model.owners.insert(Id::Number(number), merge.merged.clone());
        }
        model.into.remove(&merge.merged);
        model.forget(&[&merge.survivor]);
        for row in &merge.repointed {
            if model.into.get(row) == Some(&merge.survivor) {
                model.into.insert(row.clone(), merge.merged.clone());
            }
        }
        "done"
    }
}

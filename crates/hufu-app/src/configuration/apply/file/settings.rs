//! What a pool decides for its people, and how first logins through a connection find their account.

use hufu_types::{Association, AssociationMode, ConnectionKind, PoolSettings, SettingProblem};

use super::table::Item;

/// `[user_pool.settings]`: what is absent has its default.
pub(super) fn read_settings(item: Item<'_>) -> Option<PoolSettings> {
    let settings: PoolSettings =
        item.settings("write [user_pool.settings]", "the settings of a user pool")?;
    refuse_all(item, &settings.problems()).then_some(settings)
}

/// `association` of a connection; `kind` is absent where that is wrong itself.
pub(super) fn read_association(item: Item<'_>, kind: Option<ConnectionKind>) -> Option<Association> {
    let what = "the association of a connection";
    let advice = "write { mode = \"none\" }, or with \"field\" or \"ask\"";
    let mut association: Association = item.settings(advice, what)?;
    let table = item.open_table(advice, what)?;
    let mut is_sound = true;
    // Who is matched by nothing is asked too where the connection makes no accounts.
    for (key, modes, alone) in [
        ("fields", &[AssociationMode::Field][..], "mode = \"field\" alone"),
        ("methods", &[AssociationMode::Ask, AssociationMode::Field], "mode = \"ask\" or \"field\" alone"),
    ] {
        if let Some(list) = table.optional(key).filter(|_| !modes.contains(&association.mode)) {
            list.refuse(format!("`{key}` is for {alone} — write that mode, or take it out"));
            is_sound = false;
        }
    }
    let kind = kind?;
    if association.mode == AssociationMode::Field && table.optional("fields").is_none() {
        association.fields = kind.proves().to_vec();
    }
    (refuse_all(item, &association.problems(kind)) && is_sound).then_some(association)
}

/// Whether there was nothing to refuse.
fn refuse_all(item: Item<'_>, problems: &[SettingProblem]) -> bool {
    for SettingProblem { path, reason } in problems {
        item.refuse_within(path, reason);
    }
    problems.is_empty()
}

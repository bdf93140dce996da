//! Reads the settings of a pool, and how first logins through a connection find their account.

use hufu_types::{
    Association, AssociationMode, ConnectionExtras, ConnectionKind, PoolSettings, SettingProblem,
    VerificationFile,
};

use super::table::{Item, Table, Unique, quoted};

/// Reads `[user_pool.settings]`. Absent keys get their defaults.
pub(super) fn read_settings(item: Item<'_>) -> Option<PoolSettings> {
    let table = item.open_table("write [user_pool.settings]", "the settings of a user pool")?;
    let elsewhere = [
        ("scopes", "scopes are tables of the user pool — write [[user_pool.scope]]"),
        ("branding", "the branding is a table of the user pool — write [user_pool.branding]"),
    ];
    let misplaced = elsewhere.iter().filter_map(|(key, advice)| Some((table.optional(key)?, advice)));
    let misplaced: Vec<_> = misplaced.map(|(item, advice)| item.refuse(*advice)).collect();
    if !misplaced.is_empty() {
        return None;
    }
    let settings: PoolSettings =
        item.settings("write [user_pool.settings]", "the settings of a user pool")?;
    refuse_all(item, &settings.problems()).then_some(settings)
}

/// Reads the `association` of a connection. `kind` is `None` if the kind itself is invalid.
pub(super) fn read_association(item: Item<'_>, kind: Option<ConnectionKind>) -> Option<Association> {
    let what = "the association of a connection";
    let advice = "write { mode = \"none\" }, or with \"field\" or \"ask\"";
    let mut association: Association = item.settings(advice, what)?;
    let table = item.open_table(advice, what)?;
    let mut is_sound = true;
    // With `mode = "field"`, a person who matches nothing is also asked if the connection does not create
    // accounts.
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

/// Reads what a connection has besides the fields of its kind. `files` are the names of all verification files, since all
/// pools share a host. `kind` is `None` if the kind itself is invalid.
pub(super) fn read_extras(
    table: Table<'_>,
    kind: Option<ConnectionKind>,
    files: &mut Unique,
) -> Option<ConnectionExtras> {
    let mut is_sound = true;
    let mut extras = ConnectionExtras::default();
    if let Some(item) = table.optional("logo") {
        extras.logo = item.text().map(str::to_owned);
        is_sound &= extras.logo.is_some();
    }
    if let Some(item) = table.optional("verification_file") {
        extras.verification_file = read_verification_file(item, files);
        is_sound &= extras.verification_file.is_some();
    }
    if let Some(item) = table.optional("callback") {
        let texts: Vec<_> = item.elements().iter().map(Item::text).collect();
        is_sound &= texts.iter().all(Option::is_some);
        extras.callback = texts.into_iter().flatten().map(str::to_owned).collect();
    }
    if let Some(item) = table.optional("return_user") {
        let is_on = item.boolean();
        is_sound &= is_on.is_some();
        extras.return_user = is_on.unwrap_or_default();
    }
    let problems = extras.problems(kind?);
    for SettingProblem { path, reason } in &problems {
        table.refuse_within(path, reason);
    }
    (is_sound && problems.is_empty()).then_some(extras)
}

fn read_verification_file(item: Item<'_>, files: &mut Unique) -> Option<VerificationFile> {
    let (advice, what) = ("write { name = \"…\", content = \"…\" }", "a verification file");
    let table = item.table(advice, what, &["name", "content"])?;
    let (name, content) = (table.required("name"), table.required("content"));
    let name = name.and_then(|item| {
        let name = item.text()?;
        item.claim(files, name, &format!("the verification file {}", quoted(name)));
        Some(name)
    });
    let content = content.and_then(|item| item.text());
    Some(VerificationFile { name: name?.to_owned(), content: content?.to_owned() })
}

/// Reports all problems. Returns whether there were none.
fn refuse_all(item: Item<'_>, problems: &[SettingProblem]) -> bool {
    for SettingProblem { path, reason } in problems {
        item.refuse_within(path, reason);
    }
    problems.is_empty()
}

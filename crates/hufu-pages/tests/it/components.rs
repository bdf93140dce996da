//! The components of `parts.html` in all their states.

use askama::Template;
use axum::routing::get;
use hufu_testkit::TestDatabase;
use hufu_web::page::{Field, FieldErrors, Page, View, Viewer, respond};
use hufu_web::server::Routes;

use crate::samples::well_formed;
use crate::server::Plan;

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{% extends "hosted.html" %}
{% import "parts.html" as parts %}
{% block title %}Components{% endblock %}
{% block sheet %}
<form class="form" method="post" action="/there">
{% call parts::form_token(view, "/there") %}{% endcall %}
{% for field in fields %}{% call parts::field(view, field) %}{% endcall %}{% endfor %}
{% call parts::primary_button("submit", "Go") %}{% endcall %}
</form>
{% call parts::banner(view, "bad", "alert", "Somebody else saved first") %}{% endcall %}
{% call parts::banner(view, "ok", "ok", "Saved") %}{% endcall %}
{% call parts::copy(view, "app-id", "wx<1>", "AppID") %}{% endcall %}
{% call parts::empty(view, "Nothing", "Make one") %}<a class="btn" href="/new">New</a>{% endcall %}
{% call parts::table("People", ["Name", "Phone"]) %}<tr><td>bob</td><td>1</td></tr>{% endcall %}
{% call parts::dialog(view, "remove", "Remove bob?", "For ever.", "/remove", "Remove", "Cancel") %}{% endcall %}
{% endblock %}"#
)]
struct Components {
    view: View,
    fields: Vec<Field>,
}

impl Page for Components {
    fn view(&self) -> &View {
        &self.view
    }
}

async fn components(viewer: Viewer) -> axum::response::Response {
    let mut errors = FieldErrors::default();
    errors.note("phone", "Too <short>");
    errors.note("phone", "and more");
    assert!(!errors.is_empty());
    let hint = |field: Field| Field { hint: Some("As on your card".to_owned()), ..field };
    let fields = vec![
        hint(Field::new("name", "Name")).filled("\"bob\"", &errors),
        hint(Field::new("phone", "Phone")).filled("1", &errors),
        Field { required: true, kind: "password", ..Field::new("password", "Password") },
    ];
    respond(&Components { view: viewer.view(&hufu_pages::TEXTS), fields })
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_show_a_hint_or_what_is_wrong() {
    let more = Routes::new().route("/components", get(components));
    let text = Plan { more, ..Plan::default() }
        .start(TestDatabase::sqlite())
        .await
        .open("/components", "en")
        .await
        .text();
    well_formed(&text, "components");
    assert!(!text.contains('⟦'), "{text}");
    for part in [
        r#"id="name" name="name" type="text" value="&quot;bob&quot;" autocomplete="off" aria-describedby="name-hint""#,
        r#"<p class="hint" id="name-hint">As on your card</p>"#,
        r#"aria-describedby="phone-error" aria-invalid="true""#,
        "Too &lt;short&gt;",
        r#"type="password" value="" autocomplete="off" required>"#,
        r#"role="alert""#,
        "wx&lt;1&gt;",
        r#"<a class="btn" href="/new">New</a>"#,
        "<td>bob</td>",
        r#"<dialog class="dialog" id="remove""#,
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(part), "{part} in {flat}");
    }
    assert!(!text.contains("phone-hint") && !text.contains("and more"));
    // Each form has a token for its own path.
    let tokens: std::collections::BTreeSet<_> =
        text.split("name=\"form_token\" value=\"").skip(1).map(|rest| &rest[..43]).collect();
    assert_eq!(tokens.len(), 2);
}

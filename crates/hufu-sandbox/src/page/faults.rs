//! Faults as switches: what the caller sees, the error code, and how many calls are left.

use std::fmt::{self, Write as _};

use super::text::{FaultText, Text};

pub(super) fn write(to: &mut String, text: &Text) -> fmt::Result {
    let [one, three, ten, all] = text.counts;
    write!(
        to,
        r#"<section aria-labelledby="faults-title">
<div class="section-head"><h2 id="faults-title">{faults}</h2><label class="row small muted">{next}<select class="select" id="fault-count"><option value="1">{one}</option><option value="3" selected>{three}</option><option value="10">{ten}</option><option value="1000000">{all}</option></select></label></div>
<ul class="faults">
"#,
        faults = text.faults,
        next = text.for_next,
    )?;
    write_switch(to, &text.busy, "-1", r#"data-fault='{"errcode":-1}'"#)?;
    write_switch(to, &text.slow, "", r#"data-fault='{"delay_ms":5000}'"#)?;
    write_switch(to, &text.gateway, "502", r#"data-fault='{"http_status":502}'"#)?;
    write_switch(to, &text.dropped, "", r#"data-fault='{"drop_connection":true}'"#)?;
    write_switch(to, &text.nonsense, "", r#"data-fault='{"wrong_json":"truncated"}'"#)?;
    write_switch(to, &text.frozen, "50002", r#"data-state="frozen""#)?;
    write_switch(to, &text.wrong_secret, "40125", r#"data-state="secret_reset""#)?;
    write!(
        to,
        r#"<li><div class="fault"><span><strong>{name} <code>40001</code></strong><small>{about}</small></span><button type="button" class="btn btn-sm" data-discard>{now}</button></div></li>
</ul>
<div class="other-faults" id="other-faults" hidden><div class="section-head"><h3>{other}</h3><button type="button" class="btn btn-sm btn-quiet" id="clear-faults">{clear}</button></div><ul id="fault-list"></ul></div>
</section>
"#,
        name = text.discard.name,
        about = text.discard.about,
        now = text.discard_now,
        other = text.other_faults,
        clear = text.clear,
    )
}

fn write_switch(to: &mut String, fault: &FaultText, code: &str, data: &str) -> fmt::Result {
    let code = if code.is_empty() { String::new() } else { format!(" <code>{code}</code>") };
    writeln!(
        to,
        r#"<li><label class="fault"><span><strong>{name}{code} <small class="left num" hidden></small></strong><small>{about}</small></span><input class="switch" type="checkbox" role="switch" {data} aria-label="{name}" autocomplete="off"></label></li>"#,
        name = fault.name,
        about = fault.about,
    )
}

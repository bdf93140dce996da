//! Messages as XML. A document with a DOCTYPE or an entity of its own is refused: nothing that is read here can
//! grow, or point elsewhere.

use std::fmt::Write as _;

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

use super::{MessageError, fields::Fields};

/// The deepest nesting.
const DEEPEST: usize = 8;

/// Reads the elements directly below the root. What is nested more deeply belongs to no field that is read.
pub(super) fn read(document: &str) -> Result<Fields, MessageError> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().expand_empty_elements = true;
    let (mut fields, mut path, mut value) = (Fields::default(), Vec::new(), String::new());
    let mut ended = false;
    loop {
        match reader.read_event().map_err(|_| MessageError::Malformed("not well-formed XML"))? {
            Event::Start(start) if !ended && path.len() < DEEPEST => {
                path.push(start.local_name().into_inner().to_owned());
                if path.len() == 2 {
                    value.clear();
                }
            }
            Event::Start(_) => return Err(MessageError::Malformed("more than one root, or too deep")),
            Event::End(_) => {
                let name = path.pop().unwrap_or_default();
                match path.len() {
                    0 => ended = true,
                    1 => fields.add(name, std::mem::take(&mut value))?,
                    _ => {}
                }
            }
            Event::Text(text) if path.len() == 2 => value.push_str(&text.xml10_content()),
            Event::Text(text) if path.is_empty() && !text.trim().is_empty() => {
                return Err(MessageError::Malformed("text outside of the root"));
            }
            Event::CData(text) if path.len() == 2 => value.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) => {
                let read = match entity.resolve_char_ref() {
                    Ok(Some(character)) => character.to_string(),
                    Ok(None) => resolve_predefined_entity(&entity).unwrap_or_default().to_owned(),
                    Err(_) => String::new(),
                };
                if read.is_empty() {
                    return Err(MessageError::Entity);
                }
                if path.len() == 2 {
                    value.push_str(&read);
                }
            }
            Event::DocType(_) => return Err(MessageError::Entity),
            // Inside a field, two readers could put two different values together around it.
            Event::Comment(_) | Event::PI(_) if path.len() >= 2 => {
                return Err(MessageError::Malformed("a comment or a processing instruction inside a field"));
            }
            Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Empty(_) => return Err(MessageError::Malformed("an empty element was not expanded")),
            Event::Eof if ended => return Ok(fields),
            Event::Eof => return Err(MessageError::Malformed("the document ends too early")),
        }
    }
}

/// Writes an element with text in CDATA, as WeChat does.
pub(super) fn element(to: &mut String, name: &str, text: &str) {
    to.push('<');
    to.push_str(name);
    to.push_str("><![CDATA[");
    // The end of CDATA inside the text is split over two sections. What XML cannot contain is left out.
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(allowed).collect();
    to.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
    to.push_str("]]></");
    to.push_str(name);
    to.push('>');
}

/// Writes an element with a number.
pub(super) fn number(to: &mut String, name: &str, number: i64) {
    // Writing to a String does not fail.
    let _ = write!(to, "<{name}>{number}</{name}>");
}

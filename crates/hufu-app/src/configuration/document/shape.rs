//! The shape of settings: the members that they have, and the values that those take. It is read off the types that the
//! settings are deserialized into, so there is no second list of their names.

use std::collections::BTreeSet;

use hufu_types::Localized;
use serde::Deserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What a value in a document may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any JSON.
    Any,
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// A string.
    Text,
    /// A string, or strings by language: [`Localized`].
    Localized,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A list.
    List(Box<Self>),
    /// An object whose members have names of the operator's own.
    Map(Box<Self>),
    /// An object with these members.
    Object(Vec<(&'static str, Self)>),
}

impl Shape {
    /// The shape of what a type is deserialized from. All its fields must have defaults.
    pub(super) fn of<T: DeserializeOwned>() -> Self {
        let mut shape = Self::Any;
        // Only what it asks for is of interest.
        drop(T::deserialize(Probe(&mut shape)));
        shape
    }

    /// The members of an object.
    pub fn members(&self) -> &[(&'static str, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The shape of a member.
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(member, _)| *member == name).map(|(_, shape)| shape)
    }

    /// Adds the names of all members to `names`, and the strings that values are chosen from to `choices`.
    pub fn words(&self, names: &mut BTreeSet<&'static str>, choices: &mut BTreeSet<&'static str>) {
        match self {
            Self::Any | Self::Flag | Self::Number | Self::Text | Self::Localized => {}
            Self::Choice(values) => choices.extend(*values),
            Self::List(inner) | Self::Map(inner) => inner.words(names, choices),
            Self::Object(members) => {
                for (name, shape) in members {
                    names.insert(name);
                    shape.words(names, choices);
                }
            }
        }
    }
}

/// A deserializer that notes what it is asked for, and answers with some value of that kind.
struct Probe<'a>(&'a mut Shape);

/// A text that is also a duration.
const SOME_TEXT: &str = "1d";

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Any;
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Flag;
        visitor.visit_bool(false)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Number;
        visitor.visit_u64(1)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        *self.0 = Shape::Text;
        visitor.visit_str(SOME_TEXT)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == Localized::NAME {
            *self.0 = Shape::Localized;
            return visitor.visit_str(SOME_TEXT);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut inner = Shape::Any;
        let value = visitor.visit_seq(One(Some(&mut inner)));
        *self.0 = Shape::List(Box::new(inner));
        value
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut inner = Shape::Any;
        let value = visitor.visit_map(Entry { shape: &mut inner, is_read: false });
        *self.0 = Shape::Map(Box::new(inner));
        value
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut members = fields.iter().map(|name| (*name, Shape::Any)).collect::<Vec<_>>();
        let value = visitor.visit_map(Members { rest: members.iter_mut(), current: None });
        *self.0 = Shape::Object(members);
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = Shape::Choice(variants);
        let first: StrDeserializer<'_, Error> =
            variants.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// A list of one element.
struct One<'a>(Option<&'a mut Shape>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|shape| seed.deserialize(Probe(shape))).transpose()
    }
}

/// An object of one member.
struct Entry<'a> {
    shape: &'a mut Shape,
    is_read: bool,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if std::mem::replace(&mut self.is_read, true) {
            return Ok(None);
        }
        seed.deserialize(Probe(&mut Shape::Any)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Probe(self.shape))
    }
}

/// All fields of a struct.
struct Members<'a> {
    rest: std::slice::IterMut<'a, (&'static str, Shape)>,
    current: Option<&'a mut Shape>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, shape)) = self.rest.next() else { return Ok(None) };
        self.current = Some(shape);
        let name: StrDeserializer<'_, Error> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Probe(self.current.take().unwrap_or(&mut Shape::Any)))
    }
}

#[cfg(test)]
mod tests {
    use hufu_types::{Association, Branding, ClientSettings, LoginControl, PoolSettings, TokenLifetimes};

    use super::*;

    /// Fails if a type asks for something that the probe has no answer for: its later fields would not be seen.
    #[track_caller]
    fn reads<T: DeserializeOwned>() -> Shape {
        let mut shape = Shape::Any;
        if let Err(error) = T::deserialize(Probe(&mut shape)) {
            panic!("{error}");
        }
        shape
    }

    /// Paths of what may be any JSON.
    fn open(shape: &Shape, at: &str, found: &mut Vec<String>) {
        match shape {
            Shape::Any => found.push(at.to_owned()),
            Shape::List(inner) | Shape::Map(inner) => open(inner, at, found),
            Shape::Object(members) => {
                for (name, shape) in members {
                    open(shape, &format!("{at}.{name}"), found);
                }
            }
            Shape::Flag | Shape::Number | Shape::Text | Shape::Localized | Shape::Choice(_) => {}
        }
    }

    #[test]
    fn the_shape_of_all_settings_is_seen() {
        let mut found = Vec::new();
        open(&reads::<ClientSettings>(), "client", &mut found);
        open(&reads::<LoginControl>(), "login", &mut found);
        open(&reads::<Branding>(), "branding", &mut found);
        open(&reads::<TokenLifetimes>(), "tokens", &mut found);
        open(&reads::<PoolSettings>(), "settings", &mut found);
        open(&reads::<Association>(), "association", &mut found);
        assert_eq!(found, ["client.jwks"]);
        let client = reads::<ClientSettings>();
        assert_eq!(client.member("redirect_uris"), Some(&Shape::List(Box::new(Shape::Text))));
        let Some(Shape::List(grants)) = client.member("grants") else { panic!("{client:?}") };
        assert!(matches!(&**grants, Shape::Choice(names) if names.contains(&"device_code")));
        let settings = reads::<PoolSettings>();
        assert_eq!(settings.member("audit_days"), Some(&Shape::Number));
        let fields = settings.member("custom_fields");
        assert!(matches!(fields, Some(Shape::List(field)) if field.member("type").is_some()), "{fields:?}");
    }
}

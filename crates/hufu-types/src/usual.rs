//! Values that are mostly what they are by default. A node keeps tens of thousands of applications in memory, and few of
//! them set anything of what they may set.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Association, Branding, ClientSettings, ConnectionExtras, LoginControl};

/// A type with one default value for the whole process.
pub trait HasUsual: Default + PartialEq + 'static {
    /// The default value.
    fn usual() -> &'static Self;
}

/// A value that takes no room of its own while it is the default one.
pub struct Usually<T>(Option<Box<T>>);

impl<T: HasUsual> From<T> for Usually<T> {
    fn from(value: T) -> Self {
        Self((value != *T::usual()).then(|| Box::new(value)))
    }
}

impl<T: HasUsual> Usually<T> {
    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0.map_or_else(T::default, |value| *value)
    }
}

impl<T> Default for Usually<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: HasUsual> Deref for Usually<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::usual())
    }
}

impl<T: HasUsual> DerefMut for Usually<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Clone> Clone for Usually<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: HasUsual> PartialEq for Usually<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: HasUsual + Eq> Eq for Usually<T> {}

impl<T: HasUsual + fmt::Debug> fmt::Debug for Usually<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: HasUsual + Serialize> Serialize for Usually<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: HasUsual + Deserialize<'de>> Deserialize<'de> for Usually<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

macro_rules! usual {
    ($($type:ty),* $(,)?) => {$(
        impl HasUsual for $type {
            fn usual() -> &'static Self {
                static USUAL: LazyLock<$type> = LazyLock::new(<$type>::default);
                &USUAL
            }
        }
    )*};
}

usual!(Association, Branding, ClientSettings, ConnectionExtras, LoginControl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_takes_no_room() {
        let mut branding = Usually::<Branding>::default();
        assert_eq!((size_of_val(&branding), branding.logo.as_deref()), (size_of::<usize>(), None));
        assert!(Usually::from(Branding::default()).0.is_none());
        let logo = Some("https://a.example/logo.png".to_owned());
        branding.logo.clone_from(&logo);
        assert_eq!(branding, Branding { logo, ..Branding::default() }.into());
        branding.logo = None;
        assert_eq!(branding, Usually::default(), "though it had something else before");
        let read: Usually<Branding> =
            serde_json::from_str(&serde_json::to_string(&branding).unwrap()).unwrap();
        assert!(read.0.is_none());
    }
}

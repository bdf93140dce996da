//! A map that is cheap to copy: a copy shares everything, and a change copies one of 256 shards.
//!
//! A node replaces its configuration as a whole, so that each request sees a consistent state. With ten
//! thousand pools, copying what did not change would be too expensive.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::Arc;

const SHARDS: usize = 256;

/// See the module documentation.
#[derive(Clone, Debug)]
pub(super) struct Shards<K, V>(Vec<Arc<HashMap<K, V>>>);

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Arc::default()).collect())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Shards<K, V> {
    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(shard(key))?.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        Arc::make_mut(self.0.get_mut(shard(&key))?).insert(key, value)
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some(shard) = self.0.get_mut(shard(key)).filter(|shard| shard.contains_key(key)) {
            Arc::make_mut(shard).remove(key);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().flat_map(|shard| shard.keys())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flat_map(|shard| shard.iter())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().flat_map(|shard| shard.values())
    }
}

/// The shard of a key, which is the same in every copy.
fn shard<Q: Hash + ?Sized>(key: &Q) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
    usize::try_from(hash % 256).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_what_does_not_change() {
        let mut map = Shards::default();
        for number in 0..10_000 {
            map.insert(number, Arc::new(number));
        }
        let mut copy = map.clone();
        copy.insert(7, Arc::new(70));
        copy.remove(&8);
        copy.remove(&-1);
        assert_eq!((map.get(&7).unwrap().as_ref(), copy.get(&7).unwrap().as_ref()), (&7, &70));
        assert!(map.get(&8).is_some() && copy.get(&8).is_none());
        assert_eq!((map.keys().count(), copy.values().count()), (10_000, 9_999));
        let shared = map.0.iter().zip(&copy.0).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert!(shared >= SHARDS - 2, "{shared}");
    }
}

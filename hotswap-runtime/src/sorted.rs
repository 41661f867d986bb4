//! Maps that are made once, for what lives as long as an image.

/// A map without room for more, in order of its keys.
///
/// The nodes of a tree and the buckets of a hash table are larger than what is in them, and nobody writes to the
/// rest: what an earlier block has left there, such as a function of an old image, would be taken for a reference
/// to it as long as the map lives.
#[derive(Debug, Clone)]
pub(crate) struct Sorted<K, V>(Box<[(K, V)]>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Box::new([]))
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    /// Of several values for one key, the first counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut pairs: Vec<(K, V)> = pairs.into_iter().collect();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(later, _), (first, _)| later == first);
        Self(pairs.into_boxed_slice())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    /// The value for a key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let at = self.0.binary_search_by(|(other, _)| other.cmp(key));
        at.ok().map(|at| &self.0[at].1)
    }

    /// All pairs, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Sorted;

    #[test]
    fn each_key_has_its_first_value() {
        let map: Sorted<u32, &str> = [(3, "c"), (1, "a"), (3, "d"), (2, "b")]
            .into_iter()
            .collect();
        let found = [0, 1, 2, 3, 4].map(|key| map.get(&key).copied());
        assert_eq!(found, [None, Some("a"), Some("b"), Some("c"), None]);
        let keys: Vec<u32> = map.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [1, 2, 3]);
    }
}

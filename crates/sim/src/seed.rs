//! Deterministic hashing and naming: every "random" property of the world is a hash of its seed
//! and its place in the plan. Knows nothing of Kubernetes beyond the alphabet of its names.

/// The alphabet of generated name suffixes (`k8s.io/apimachinery/pkg/util/rand`).
const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Mixes two numbers into one that looks random (splitmix64's finalizer).
pub(crate) const fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Hashes a text into a number (FNV-1a, then mixed).
pub(crate) const fn text(value: &str) -> u64 {
    let bytes = value.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    mix(hash, 0)
}

/// A fraction in `[0, 1)`.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// A fraction in `[low, high)`.
pub(crate) fn between(hash: u64, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(hash)
}

/// A number in `[0, bound)`; zero when `bound` is not positive.
#[expect(clippy::cast_possible_wrap, reason = "the remainder is below a positive i64")]
pub(crate) const fn below(hash: u64, bound: i64) -> i64 {
    if bound <= 0 { 0 } else { (hash % bound.unsigned_abs()) as i64 }
}

/// A generated name suffix such as `x7k2p`.
pub(crate) fn suffix(mut hash: u64, length: usize) -> String {
    let mut name = String::with_capacity(length);
    for _ in 0..length {
        let index = usize::try_from(hash % NAME_ALPHABET.len() as u64).unwrap_or(0);
        name.push(char::from(NAME_ALPHABET[index]));
        hash = mix(hash, 1);
    }
    name
}

/// A version 4 UUID.
pub(crate) fn uuid(hash: u64) -> String {
    let (high, low) = (mix(hash, 2), mix(hash, 3));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// 64 hexadecimal digits, as container and image ids have.
pub(crate) fn digest(hash: u64) -> String {
    format!("{:016x}{:016x}{:016x}{:016x}", mix(hash, 4), mix(hash, 5), mix(hash, 6), mix(hash, 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_look_generated() {
        assert_eq!(suffix(7, 5), suffix(7, 5));
        assert_ne!(suffix(7, 5), suffix(8, 5));
        let id = uuid(1);
        assert_eq!(id.len(), 36);
        let digits: Vec<char> = id.chars().collect();
        assert_eq!(digits[14], '4');
        assert!("89ab".contains(digits[19]));
        assert_eq!(digest(1).len(), 64);
    }

    #[test]
    fn fractions_stay_in_range() {
        for i in 0..1000 {
            let x = between(mix(i, 9), 0.7, 1.3);
            assert!((0.7..1.3).contains(&x));
            assert!((0..13).contains(&below(mix(i, 3), 13)));
        }
    }
}

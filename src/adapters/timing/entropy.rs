//! Random bytes from the operating system. The only place that draws them; everybody else takes them as an argument or
//! asks the port. Imports `ports`.

use crate::ports::timing::Entropy;

/// The generator of aws-lc, which the operating system seeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, out: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that the lint points to")]
        let filled = aws_lc_rs::rand::fill(out);
        if filled.is_err() {
            // Whatever went on from here would use a challenge, a salt or a key that can be guessed. A node that is
            // gone is safe: its leases run out, and another one takes over.
            tracing::error!("the operating system gives no random bytes; the process ends");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let source: &dyn Entropy = &OsEntropy;
        assert_ne!(source.bytes::<32>(), source.bytes::<32>());
    }
}

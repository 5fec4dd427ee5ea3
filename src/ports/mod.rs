//! The traits between the rules and the world. Services speak only to these; adapters implement them; `app` alone
//! decides which adapter stands behind which port.
//!
//! May import: `domain`. The write path is [`change::Change`] and [`store::Store::commit`].

pub mod audit;
pub mod change;
pub mod erasure;
pub mod log;
pub mod notice;
pub mod outward;
pub mod overrides;
pub mod secrets;
pub mod siem;
pub mod staff;
pub mod store;
pub mod timing;
pub mod witness;

pub use change::{Change, Effect};
pub use erasure::ErasureStore;
pub use log::{CheckpointSigner, LogStore, MarkFile};
pub use outward::{Ceremonies, ChannelSender, ConsoleCeremonies, WebhookSender};
pub use overrides::{Also, OverrideStore, OverrideWrite};
pub use secrets::{ReceiptSigner, Secrets};
pub use staff::{StaffEffect, StaffStore};
pub use store::{CommitError, Store, StoreError};
pub use timing::{Clock, Entropy, Limits, Live, Timers};
pub use witness::{CosignatureStore, Cosigner, PublishedLog};

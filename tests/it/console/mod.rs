//! The console over real HTTP: two listeners, a database, and software passkeys in the hands of staff. Each case runs
//! on SQLite; those in which the record could make a difference run on PostgreSQL too. `stage` starts all of it,
//! `desk` is one person's browser.

mod auditing;
mod changes;
pub mod desk;
mod ending;
mod evidence;
mod hiring;
mod hosted;
mod looking;
mod refused;
mod scim;
mod sign_in;
pub mod stage;
mod timing;
mod told;

/// Makes a test of each case, on both databases.
macro_rules! on_both {
    ($($case:ident,)+) => {$(
        mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let (stage, _alive) = crate::console::stage::on_sqlite().await;
                super::cases::$case(stage).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let (stage, _alive) = crate::console::stage::on_postgres().await;
                super::cases::$case(stage).await;
            }
        }
    )+};
}
pub(crate) use on_both;

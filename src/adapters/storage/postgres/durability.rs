//! Whether this server keeps what it says it has stored.

use super::{Db, PostgresStore, own};
use crate::adapters::storage::failure::unavailable;
use crate::ports::store::StoreError;

impl PostgresStore {
    /// Settings under which a crash, or a failover to a standby, would lose what was acknowledged.
    pub(super) async fn faults(&self) -> Result<Vec<String>, StoreError> {
        let settings = sqlx::query_as::<Db, (String, String, String)>(own::DURABILITY);
        let (fsync, full_pages, commit) = settings.fetch_one(self.reads()).await.map_err(unavailable)?;
        let standbys = sqlx::query_as::<Db, (String, Option<String>)>(own::STANDBYS);
        let standbys = standbys.fetch_all(self.reads()).await.map_err(unavailable)?;
        Ok(judge(&fsync, &full_pages, &commit, &standbys))
    }
}

fn judge(fsync: &str, full_pages: &str, commit: &str, standbys: &[(String, Option<String>)]) -> Vec<String> {
    let mut faults = Vec::new();
    if fsync != "on" {
        faults.push("fsync is off: a power cut can lose or break everything.".to_owned());
    }
    if full_pages != "on" {
        faults.push("full_page_writes is off: a power cut can break pages that were being written.".to_owned());
    }
    if commit == "off" {
        faults.push("synchronous_commit is off: a crash loses what was just acknowledged.".to_owned());
    }
    if commit == "local" && !standbys.is_empty() {
        faults.push("synchronous_commit is local: a failover loses what was just acknowledged.".to_owned());
    }
    for (name, sync_state) in standbys {
        match sync_state.as_deref() {
            Some("async") => faults.push(format!(
                "The standby {name} commits asynchronously: a failover to it loses what was just acknowledged. Name it \
                 in synchronous_standby_names."
            )),
            Some(_) => {}
            None => faults.push(
                "There is a standby, and this role can't see whether it commits synchronously: grant it pg_monitor."
                    .to_owned(),
            ),
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standby(state: Option<&str>) -> Vec<(String, Option<String>)> {
        vec![("east".to_owned(), state.map(str::to_owned))]
    }

    #[test]
    fn a_safe_server_has_no_fault() {
        assert!(judge("on", "on", "on", &[]).is_empty());
        assert!(judge("on", "on", "local", &[]).is_empty());
        for state in ["sync", "quorum", "potential"] {
            assert!(judge("on", "on", "remote_apply", &standby(Some(state))).is_empty());
        }
    }

    #[test]
    fn every_fault_is_named() {
        assert_eq!(judge("off", "off", "off", &[]).len(), 3);
        assert_eq!(judge("on", "on", "local", &standby(Some("sync"))).len(), 1);
        assert!(judge("on", "on", "on", &standby(Some("async")))[0].contains("east"));
        assert!(judge("on", "on", "on", &standby(None))[0].contains("pg_monitor"));
    }
}

//! Looks names up for the client and hands it only the addresses that may be reached. The client connects to what this
//! gives and asks nobody else, so a name can't mean one address when it is checked and another when it is used.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::sync::Arc;

use super::address::Reach;

/// Every address of the name is refused.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be reached")]
pub(super) struct RefusedName;

pub(super) struct CheckedResolver {
    reach: Arc<Reach>,
}

impl CheckedResolver {
    pub(super) const fn new(reach: Arc<Reach>) -> Self {
        Self { reach }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = Arc::clone(&self.reach);
        Box::pin(async move {
            // Port 0 is replaced by the one of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut permitted = found.filter(|address| reach.permits(address.ip())).peekable();
            if permitted.peek().is_none() {
                return Err(RefusedName.into());
            }
            let addresses: Addrs = Box::new(permitted.collect::<Vec<_>>().into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_leads_only_where_it_may() {
        let name = || "localhost".parse::<Name>().unwrap();
        let public = CheckedResolver::new(Arc::new(Reach::with_allowed(Vec::new())));
        let Err(error) = public.resolve(name()).await else { panic!("localhost was let through") };
        assert!(error.is::<RefusedName>());

        let allowed: Vec<ipnet::IpNet> = vec!["127.0.0.0/8".parse().unwrap()];
        let local = CheckedResolver::new(Arc::new(Reach::only(allowed.clone())));
        let mut addresses = local.resolve(name()).await.unwrap();
        assert!(addresses.all(|address| allowed[0].contains(&address.ip())));
    }
}

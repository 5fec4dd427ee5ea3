//! Cosignatures that are kept in the name of a witness are by its key, and over the checkpoint that they lie with.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use countersign::domain::log::note::Signature;
use countersign::domain::log::{Note, Origin, SignatureType, VerifierKey};
use countersign::domain::witness::quorum::Quorum;
use countersign::domain::witness::{cosignature, cosigned_text};
use countersign::ports::log::Signed;
use countersign::service::audit::verify::RowFlaw;
use countersign::service::log::Witnesses;

use super::{Scene, row};

struct Witness {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

impl Witness {
    fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let name = Origin::parse(&format!("w{seed}.example")).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        Self { pair, key: VerifierKey { name, signs: SignatureType::Cosignature, public } }
    }

    fn signs(&self, scene: &Scene, signed: &Signed) -> Signature {
        let (now, note): (_, Note) = (scene.world.cx.now(), signed.note.parse().unwrap());
        cosignature(&self.key, now, self.pair.sign(cosigned_text(now, note.text()).as_bytes()).as_ref())
    }
}

on_both!(
    a_cosignature_over_another_checkpoint_is_found,
    a_cosignature_by_another_key_is_found_and_one_of_a_stranger_passed_over,
);

/// The scene with two witnesses, of which the first has signed every checkpoint, and the checkpoints.
async fn witnessed(mut scene: Scene) -> (Scene, Witness, Vec<Signed>) {
    let (one, other) = (Witness::new(1), Witness::new(2));
    let quorum = Quorum::new(vec![one.key.clone(), other.key], 2).unwrap();
    scene.record.witnesses = Some(Arc::new(Witnesses::new(quorum, scene.cosignatures.clone())));
    let all = scene.record.log.checkpoints(0, 1_000).await.unwrap();
    assert!(all.len() > 1);
    for signed in &all {
        scene.cosignatures.add_cosignature(signed.head.size, &one.signs(&scene, signed)).await.unwrap();
    }
    assert_eq!(scene.verify(&[]).await.unwrap().cosignatures, all.len() as u64);
    (scene, one, all)
}

async fn a_cosignature_over_another_checkpoint_is_found(scene: Scene) {
    let (scene, one, all) = witnessed(scene).await;
    let (first, last) = (&all[0], &all[all.len() - 1]);
    scene.cosignatures.add_cosignature(last.head.size, &one.signs(&scene, first)).await.unwrap();
    let fault = scene.verify(&[]).await.unwrap_err();
    assert_eq!(row(&fault, "log_cosignatures"), RowFlaw::Cosignature(one.key.name.clone()));
    assert!(fault.to_string().contains(&format!("row {} of", last.head.size)), "{fault}");
    scene.cosignatures.add_cosignature(last.head.size, &one.signs(&scene, last)).await.unwrap();
    scene.verify(&[]).await.unwrap();
}

async fn a_cosignature_by_another_key_is_found_and_one_of_a_stranger_passed_over(scene: Scene) {
    let (scene, one, all) = witnessed(scene).await;
    let size = all[0].head.size;
    let stranger = Witness::new(9);
    scene.cosignatures.add_cosignature(size, &stranger.signs(&scene, &all[0])).await.unwrap();
    assert_eq!(scene.verify(&[]).await.unwrap().cosignatures, all.len() as u64);
    // Under the name and number of one that counts, and by nobody's key that is known.
    let forged = Signature { name: one.key.name.clone(), id: one.key.id(), ..stranger.signs(&scene, &all[0]) };
    scene.cosignatures.add_cosignature(size, &forged).await.unwrap();
    let fault = scene.verify(&[]).await.unwrap_err();
    assert_eq!(row(&fault, "log_cosignatures"), RowFlaw::Cosignature(one.key.name));
}

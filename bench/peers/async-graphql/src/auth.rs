//! Bearer tokens: RS256, one key, verified once and remembered by digest until they expire.
use std::{
    collections::HashMap,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const MAX_REMEMBERED: usize = 10_000;

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

pub struct User(pub String);

pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
    known: Mutex<HashMap<[u8; 32], Claims>>,
}

impl Verifier {
    pub fn new(public_pem: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["onsale"]);
        let key = DecodingKey::from_rsa_pem(public_pem).unwrap();
        Self { key, validation, known: Mutex::default() }
    }

    pub fn user(&self, header: Option<&str>) -> Result<User, &'static str> {
        let token = header.and_then(|text| text.strip_prefix("Bearer ")).ok_or("no bearer token")?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        if let Some(claims) = self.known.lock().unwrap().get(&digest) {
            return if claims.exp > now { Ok(User(claims.sub.clone())) } else { Err("token expired") };
        }
        let claims = decode::<Claims>(token, &self.key, &self.validation).map_err(|_| "token refused")?.claims;
        let user = User(claims.sub.clone());
        let mut known = self.known.lock().unwrap();
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(digest, claims);
        Ok(user)
    }
}

// Creates the replica set and its users. Run it once, on one member, with mongosh:
//   MEMBERS="mongo-1.internal:27017 …" ADMIN_PASSWORD=… ONSALE_PASSWORD=… BACKUP_PASSWORD=… \
//     mongosh --tls --tlsCAFile /etc/mongodb/tls/authority.pem --host localhost onsale.js
// It may be run again after an interruption, with the user that it created first:
//   … mongosh --username admin --password … onsale.js

const members = process.env.MEMBERS.split(" ").map((host, number) => ({ _id: number, host }));
try {
  rs.initiate({
    _id: "onsale",
    members,
    // Orders are confirmed only when the journals of a majority have them.
    writeConcernMajorityJournalDefault: true,
    // An election begins after 5 s without the primary, instead of 10. Choose 10000 if members are
    // in different regions.
    settings: { electionTimeoutMillis: 5000 },
  });
} catch (error) {
  if (error.codeName !== "AlreadyInitialized" && error.codeName !== "Unauthorized") throw error;
}
while (!db.hello().isWritablePrimary) sleep(200);

const users = db.getSiblingDB("admin");
function create(user, password, roles) {
  try {
    users.createUser({ user, pwd: password, roles });
  } catch (error) {
    // MongoDB's code for a user that exists.
    if (error.code !== 51003) throw error;
  }
}
create("admin", process.env.ADMIN_PASSWORD, ["root"]);
users.auth("admin", process.env.ADMIN_PASSWORD);
// Onsale sets the schema of its collection orders, which readWrite does not allow.
try {
  users.createRole({
    role: "onsale",
    privileges: [{ resource: { db: "onsale", collection: "orders" }, actions: ["collMod"] }],
    roles: [{ role: "readWrite", db: "onsale" }],
  });
} catch (error) {
  // MongoDB's code for a role that exists.
  if (error.code !== 51002) throw error;
}
create("onsale", process.env.ONSALE_PASSWORD, ["onsale"]);
create("backup", process.env.BACKUP_PASSWORD, ["backup"]);
print(`The replica set has ${members.length} member(s); the users admin, onsale and backup exist.`);

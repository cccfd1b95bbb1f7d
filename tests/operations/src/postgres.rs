//! PostgreSQL 15.

use wb_stdlib::postgres::Attribute;
use wb_stdlib::prelude::*;

use crate::Case;

const PACKAGES: &[&str] = &["postgresql"];
/// A server that runs writes these by itself.
const RESTLESS: &[&str] = &["/var/lib/postgresql", "/var/log/postgresql", "/run/postgresql", "/var/run/postgresql"];

/// As the server keeps the password `verified`.
const OF_VERIFIED: &str = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$vUBttwHLnv7R6p3Mn22wOq7D6QB4ssgYgMVrT4/ap4s=:\
                           OkIrZrPaQY+G4u1csDaOjQ8JaCdy0bgQVvtvVifMFPc=";

const CASE: Case = Case { packages: PACKAGES, restless: RESTLESS, ..Case::DEFAULT };

pub(crate) static CASES: &[Case] = &[
    Case {
        name: "shop",
        prepare: "service postgresql status >/dev/null || service postgresql start
            setpriv --reuid=postgres --regid=postgres --init-groups psql -q -d postgres <<'SQL'
DROP DATABASE IF EXISTS shop; DROP ROLE IF EXISTS shop; DROP ROLE IF EXISTS reports; DROP ROLE IF EXISTS readers;
DROP ROLE IF EXISTS leavers; DROP ROLE IF EXISTS clerk;
CREATE ROLE reports SUPERUSER CONNECTION LIMIT 3; CREATE ROLE leavers; GRANT leavers TO reports;
SQL
            true",
        run: |host| {
            let postgres = host.postgres();
            postgres.role("shop").login().password("it's a \\ secret").present()?;
            postgres.role("readers").present()?;
            postgres
                .role("reports")
                .login()
                .without(Attribute::Superuser)
                .connection_limit(9)
                .member_of("readers")
                .not_member_of("leavers")
                .present()?;
            postgres.role("clerk").login().verifier(OF_VERIFIED).present()?;
            let shop = postgres.database("shop");
            shop.clone().owner("shop").template("template0").encoding("UTF8").locale("C.UTF-8").present()?;
            shop.privileges(["CONNECT"]).revoked_from("public")?;
            shop.privileges(["CONNECT"]).granted_to("readers")?;
            Ok(())
        },
        check: "ask() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtqc \"$1\"; }
            [ \"$(ask \"SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'shop'\")\" = t ]
            [ \"$(ask \"SELECT rolcanlogin, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = 'reports'\")\" = 't|f|9' ]
            [ \"$(ask \"SELECT pg_has_role('reports', 'readers', 'MEMBER')\")\" = t ]
            [ \"$(ask \"SELECT pg_has_role('reports', 'leavers', 'MEMBER')\")\" = f ]
            PGPASSWORD=verified psql -h 127.0.0.1 -U clerk -d postgres -XAtqc 'SELECT 1' | grep -qx 1
            [ \"$(ask \"SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'shop'\")\" = 'shop|UTF8' ]
            [ \"$(ask \"SELECT has_database_privilege('readers', 'shop', 'CONNECT')\")\" = t ]
            PGPASSWORD=\"it's a \\\\ secret\" psql -h 127.0.0.1 -U shop -d shop -XAtqc 'SELECT 1' | grep -qx 1",
        ..CASE
    },
    Case {
        name: "tables",
        prepare: "service postgresql status >/dev/null || service postgresql start
            setpriv --reuid=postgres --regid=postgres --init-groups psql -q -d postgres <<'SQL'
DROP DATABASE IF EXISTS stock; DROP ROLE IF EXISTS looks; CREATE ROLE looks; CREATE DATABASE stock;
\\c stock
CREATE TABLE items (id int); CREATE TABLE \"odd name\" (id int); CREATE SEQUENCE numbers;
CREATE SCHEMA old; CREATE SCHEMA theirs; GRANT INSERT ON items TO looks; CREATE EXTENSION citext;
SQL
            true",
        run: |host| {
            let stock = host.postgres().database("stock");
            it_is_looked_at(host)?;
            stock.schema("extra").present()?;
            stock.schema("theirs").owner("looks").present()?;
            stock.schema("old").absent()?;
            stock.extension("pg_trgm").schema("extra").present()?;
            stock.extension("hstore").present()?;
            stock.extension("citext").absent()?;
            stock.privileges(["USAGE"]).on_schema("extra").granted_to("looks")?;
            stock.privileges(["SELECT", "update"]).on_all_tables("public").granted_to("looks")?;
            stock.privileges(["INSERT"]).on_tables("public", ["items", "odd name"]).revoked_from("looks")?;
            stock.privileges(["ALL"]).on_all_sequences("public").granted_to("looks")?;
            Ok(())
        },
        check: "ask() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtqc \"$1\" stock; }
            [ \"$(ask \"SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension\")\" = hstore,pg_trgm,plpgsql ]
            [ \"$(ask \"SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'\")\" = extra ]
            [ \"$(ask \"SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname IN ('old', 'extra', 'theirs')\")\" = extra,theirs ]
            [ \"$(ask \"SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'theirs'\")\" = looks ]
            [ \"$(ask \"SELECT has_table_privilege('looks', 'items', 'SELECT'), has_table_privilege('looks', 'items', 'INSERT')\")\" = 't|f' ]
            [ \"$(ask \"SELECT has_table_privilege('looks', '\\\"odd name\\\"', 'UPDATE')\")\" = t ]
            [ \"$(ask \"SELECT has_sequence_privilege('looks', 'numbers', 'USAGE')\")\" = t ]
            [ \"$(ask \"SELECT has_schema_privilege('looks', 'extra', 'USAGE')\")\" = t ]",
        ..CASE
    },
    Case {
        name: "settings",
        prepare: "service postgresql status >/dev/null || service postgresql start
            setpriv --reuid=postgres --regid=postgres --init-groups psql -q -d postgres <<'SQL'
ALTER SYSTEM RESET ALL; ALTER SYSTEM SET log_min_duration_statement = '5s'; SELECT pg_reload_conf();
SQL
            true",
        run: |host| {
            let (postgres, service) = (host.postgres(), host.service("postgresql"));
            postgres.setting("work_mem").to("16MB").set()?;
            postgres.setting("log_min_duration_statement").unset()?;
            postgres.setting("max_connections").to("77").restarts(&service).set()?;
            postgres
                .setting("shared_preload_libraries")
                .to_list(["auto_explain", "pg_stat_statements"])
                .restarts(&service)
                .set()?;
            Ok(())
        },
        check: "ask() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtqc \"$1\"; }
            for try in 1 2 3 4 5 6 7 8 9; do ask 'SELECT 1' >/dev/null 2>&1 && break; sleep 1; done
            [ \"$(ask 'SHOW work_mem')\" = 16MB ]
            [ \"$(ask 'SHOW log_min_duration_statement')\" = -1 ]
            [ \"$(ask 'SHOW max_connections')\" = 77 ]
            [ \"$(ask 'SHOW shared_preload_libraries')\" = 'auto_explain, pg_stat_statements' ]",
        ..CASE
    },
    Case {
        name: "lists",
        prepare: "service postgresql status >/dev/null || service postgresql start
            setpriv --reuid=postgres --regid=postgres --init-groups psql -q -d postgres <<'SQL'
ALTER SYSTEM RESET ALL; SELECT pg_reload_conf();
SQL
            true",
        run: |host| {
            let (postgres, service) = (host.postgres(), host.service("postgresql"));
            postgres
                .setting("shared_preload_libraries")
                .to("auto_explain,pg_stat_statements")
                .restarts(&service)
                .set()?;
            postgres.setting("search_path").to("\"$user\", Public, \"My Schema\"").set()?;
            anyhow::ensure!(postgres.setting("session_preload_libraries").to("").set().is_err(), "an empty list was set");
            Ok(())
        },
        check: "ask() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtqc \"$1\"; }
            for try in 1 2 3 4 5 6 7 8 9; do ask 'SELECT 1' >/dev/null 2>&1 && break; sleep 1; done
            [ \"$(ask 'SHOW shared_preload_libraries')\" = 'auto_explain, pg_stat_statements' ]
            [ \"$(ask 'SHOW search_path')\" = '\"$user\", public, \"My Schema\"' ]",
        ..CASE
    },
    Case {
        name: "absent",
        prepare: "service postgresql status >/dev/null || service postgresql start
            setpriv --reuid=postgres --regid=postgres --init-groups psql -q -d postgres <<'SQL'
DROP DATABASE IF EXISTS old; DROP ROLE IF EXISTS old_owner; CREATE ROLE old_owner; CREATE DATABASE old OWNER old_owner;
SQL
            rm -f /tmp/held; mkfifo /tmp/held
            setpriv --reuid=postgres --regid=postgres --init-groups psql -q old </tmp/held >/dev/null 2>&1 &
            (echo 'SELECT 1;'; sleep 600) >/tmp/held 2>/dev/null &
            sleep 1",
        run: |host| {
            host.postgres().database("old").disconnecting().absent()?;
            host.postgres().role("old_owner").absent()?;
            Ok(())
        },
        check: "ask() { setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtqc \"$1\"; }
            [ \"$(ask \"SELECT count(*) FROM pg_database WHERE datname = 'old'\")\" = 0 ]
            [ \"$(ask \"SELECT count(*) FROM pg_roles WHERE rolname = 'old_owner'\")\" = 0 ]",
        ..CASE
    },
];

/// What specs ask of what stays as it is.
fn it_is_looked_at(host: &Host) -> Result<()> {
    let postgres = host.postgres();
    postgres.answers()?;
    ensure!(host.postgres().port(1).answers().is_err(), "nobody listens there");
    postgres.role("looks").exists()?;
    ensure!(postgres.role("none").exists().is_err(), "there is no such role");
    postgres.role("postgres").has(Attribute::Superuser)?;
    ensure!(postgres.role("looks").has(Attribute::Superuser).is_err(), "it is none");
    postgres.setting("block_size").is("8192")?;
    ensure!(postgres.setting("block_size").is("4096").is_err(), "it is another one");
    let stock = postgres.database("stock");
    stock.exists()?;
    ensure!(postgres.database("none").exists().is_err(), "there is no such database");
    stock.schema("theirs").exists()?;
    ensure!(stock.schema("none").exists().is_err(), "there is no such schema");
    stock.extension("plpgsql").is_installed()?;
    ensure!(stock.extension("none").is_installed().is_err(), "there is no such extension");
    stock.query("SELECT count(*) FROM items").gives("0")?;
    ensure!(stock.query("SELECT 1 + 1").gives("3").is_err(), "that is 2");
    ensure!(stock.query("SELECT 'a', 'b c'").rows()? == [["a", "b c"]], "they are not a row of two");
    Ok(())
}

"""A server of 155 things, as pyinfra says them."""

import json
from io import StringIO

from pyinfra.operations import apt, crontab, files, server, sysvinit

with open("wanted.json") as file:
    wanted = json.load(file)

apt.packages(name="Packages", packages=wanted["packages"])

for person in wanted["people"]:
    server.group(name=f"Group {person['group']}", group=person["group"], gid=person["gid"])
    server.user(
        name=f"User {person['user']}",
        user=person["user"],
        uid=person["uid"],
        group=person["group"],
        shell="/bin/sh",
        ensure_home=False,
    )
    files.directory(name=person["directory"], path=person["directory"], user=person["user"], mode="750")
    files.put(
        name=person["plain"],
        src=StringIO(person["text"]),
        dest=person["plain"],
        user=person["user"],
        mode="644",
    )
    files.template(
        name=person["site"],
        src="site.conf.j2",
        dest=person["site"],
        user=person["user"],
        mode="640",
        site=person["user"],
        port=person["port"],
    )

for line in wanted["lines"]:
    files.line(name=line, path=wanted["lines_file"], line=line)

for service in wanted["services"]:
    sysvinit.service(name=service, service=service, running=True, enabled=True)

for job in wanted["jobs"]:
    crontab.crontab(
        name=job["name"],
        command=job["command"],
        cron_name=job["name"],
        minute=job["minute"],
        hour=job["hour"],
        day_of_month=job["day"],
        month=job["month"],
        day_of_week=job["weekday"],
    )

for setting in wanted["sysctl"]:
    values = [int(value) for value in setting["value"].split()]
    server.sysctl(
        name=setting["key"],
        key=setting["key"],
        value=values if len(values) > 1 else values[0],
        persist=True,
        persist_file=wanted["sysctl_file"],
    )

# A server of 155 things, as Salt says them.
{% import_json "wanted.json" as wanted %}

packages:
  pkg.installed:
    - pkgs: {{ wanted.packages | json }}
    - refresh: False

{% for person in wanted.people %}
{{ person.group }}:
  group.present:
    - gid: {{ person.gid }}

{{ person.user }}:
  user.present:
    - uid: {{ person.uid }}
    - gid: {{ person.group }}
    - shell: /bin/sh
    - createhome: False

{{ person.directory }}:
  file.directory:
    - user: {{ person.user }}
    - mode: '0750'
    - makedirs: True

{{ person.plain }}:
  file.managed:
    - contents: {{ person.text | json }}
    - user: {{ person.user }}
    - mode: '0644'

{{ person.site }}:
  file.managed:
    - source: salt://site.conf.j2
    - template: jinja
    - context:
        site: {{ person.user }}
        port: {{ person.port }}
    - user: {{ person.user }}
    - mode: '0640'
{% endfor %}

{{ wanted.lines_file }}:
  file.append:
    - text: {{ wanted.lines | json }}

{% for service in wanted.services %}
{{ service }}:
  service.running:
    - enable: True
{% endfor %}

{% for job in wanted.jobs %}
{{ job.command }}:
  cron.present:
    - identifier: {{ job.name }}
    - user: root
    - minute: '{{ job.minute }}'
    - hour: '{{ job.hour }}'
{% endfor %}

{% for setting in wanted.sysctl %}
{{ setting.key }}:
  sysctl.present:
    - value: {{ setting.value | json }}
    - config: {{ wanted.sysctl_file }}
{% endfor %}

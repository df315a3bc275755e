{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.topologyUpdater.enable -}}
{{- fail "the stand-in of node-feature-discovery has no topology updater: leave topologyUpdater.enable false in a rehearsal" -}}
{{- end -}}

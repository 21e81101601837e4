{{- define "strata.labels" -}}
app.kubernetes.io/name: strata-controller
app.kubernetes.io/part-of: strata
{{- end -}}

{{- define "strata.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The name of a controller and of what belongs to it. Takes a shard, empty for the main one. */}}
{{- define "strata.name" -}}
{{- if . -}}strata-controller-{{ . }}{{- else -}}strata-controller{{- end -}}
{{- end -}}

{{/* Where the artifacts lie. Takes root and shard. */}}
{{- define "strata.claim" -}}
{{- $storage := .root.Values.storage -}}
{{- if $storage.existingClaim -}}{{ $storage.existingClaim }}
{{- else if .shard -}}strata-storage-{{ .shard }}
{{- else -}}strata-storage{{- end -}}
{{- end -}}

{{/* One that is highly available has a volume in any case. */}}
{{- define "strata.hasClaim" -}}
{{- if or .Values.highAvailability (eq .Values.storage.type "persistentVolumeClaim") -}}yes{{- end -}}
{{- end -}}

{{- define "strata.selector" -}}
app.kubernetes.io/name: {{ include "strata.name" . }}
{{- end -}}

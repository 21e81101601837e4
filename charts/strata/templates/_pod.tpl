{{/* The pod of a controller. Takes root, values, shard and name. */}}
{{- define "strata.pod" -}}
{{- $values := .values -}}
serviceAccountName: {{ $values.serviceAccount.name }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: 40
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: controller
    image: {{ include "strata.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args:
      {{- include "strata.args" . | nindent 6 }}
    env:
      - name: RUNTIME_NAMESPACE
        valueFrom:
          fieldRef:
            apiVersion: v1
            fieldPath: metadata.namespace
      {{- with $values.controller.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - name: http
        containerPort: 9090
        protocol: TCP
      - name: http-prom
        containerPort: 8080
        protocol: TCP
      - name: healthz
        containerPort: 9440
        protocol: TCP
      {{- if $values.ociEndpoint.enabled }}
      - name: oci
        containerPort: {{ $values.ociEndpoint.port }}
        protocol: TCP
      {{- end }}
    livenessProbe:
      httpGet:
        path: /healthz
        port: healthz
      periodSeconds: 10
      timeoutSeconds: 5
    readinessProbe:
      httpGet:
        path: /readyz
        port: healthz
      periodSeconds: 5
      timeoutSeconds: 5
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - name: data
        mountPath: /data
      - name: tmp
        mountPath: /tmp
      {{- if and $values.ociEndpoint.enabled $values.ociEndpoint.tlsSecretName }}
      - name: oci-endpoint-tls
        mountPath: /etc/strata/oci-endpoint-tls
        readOnly: true
      {{- end }}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{ include "strata.placement" . }}
volumes:
  - name: data
    {{- if include "strata.hasClaim" .root }}
    persistentVolumeClaim:
      claimName: {{ include "strata.claim" (dict "root" .root "shard" .shard) }}
    {{- else if $values.storage.size }}
    emptyDir:
      sizeLimit: {{ $values.storage.size }}
    {{- else }}
    emptyDir: {}
    {{- end }}
  - name: tmp
    {{- if $values.tmpSize }}
    emptyDir:
      sizeLimit: {{ $values.tmpSize }}
    {{- else }}
    emptyDir: {}
    {{- end }}
  {{- if and $values.ociEndpoint.enabled $values.ociEndpoint.tlsSecretName }}
  - name: oci-endpoint-tls
    secret:
      secretName: {{ $values.ociEndpoint.tlsSecretName }}
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "strata.args" -}}
{{- $values := .values -}}
- --storage-path=/data
- --storage-addr=:9090
- --storage-adv-addr={{ .name }}.$(RUNTIME_NAMESPACE).svc.cluster.local.
- --metrics-addr=:8080
- --health-addr=:9440
- --events-addr={{ $values.controller.eventsAddr }}
- --watch-all-namespaces={{ $values.controller.watchAllNamespaces }}
- --concurrent={{ $values.controller.concurrent }}
- --log-level={{ $values.controller.logLevel }}
- --log-encoding={{ $values.controller.logEncoding }}
- --enable-leader-election
{{- if .shard }}
- --watch-label-selector=sharding.fluxcd.io/key={{ .shard }}
{{- else if $values.shards }}
- --watch-label-selector=!sharding.fluxcd.io/key
{{- end }}
{{- if $values.ociEndpoint.enabled }}
- --oci-endpoint-addr=:{{ $values.ociEndpoint.port }}
- --oci-endpoint-adv-addr={{ .name }}.$(RUNTIME_NAMESPACE).svc.cluster.local:{{ $values.ociEndpoint.port }}
{{- if $values.ociEndpoint.tlsSecretName }}
- --oci-endpoint-cert-dir=/etc/strata/oci-endpoint-tls
{{- end }}
{{- end }}
{{- with $values.controller.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "strata.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.highAvailability }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "strata.selector" .shard | nindent 8 }}
{{- end }}
{{- end -}}

{{/* A pod is found by these three; they never change, as a Deployment's selector cannot. */}}
{{- define "app.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "app.labels" -}}
{{ include "app.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* What every pod of the application has in common: Pod Security "restricted", and no way to the cluster's API. */}}
{{- define "app.pod" -}}
serviceAccountName: {{ .Values.serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 10
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/* What every container of it has in common: the image by digest, and the environment. */}}
{{- define "app.container" -}}
image: {{ .Values.image | quote }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
{{- with .Values.envSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
env:
  {{- /* Kubernetes takes $(NAME) in a value for the variable of that name, and a branch may be called so. */}}
  - {name: DEPLOYTAG_REF, value: {{ .Values.ref | replace "$" "$$" | quote }}}
  - {name: DEPLOYTAG_REVISION, value: {{ .Values.revision | quote }}}
  - {name: DEPLOYTAG_ENV_SECRET, value: {{ .Values.envSecret | quote }}}
{{- if .Values.redis.enabled }}
  - {name: {{ .Values.variables.redis }}, value: "redis://{{ .Release.Name }}-redis:6379/0"}
{{- end }}
{{- end }}

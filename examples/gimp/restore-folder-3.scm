; Restores all PNG and JPEG pictures of a folder with GIMP 3, and writes them as PNG into another one:
;
;   gimp-console-3.0 -i -d -f --quit --batch-interpreter=plug-in-script-fu-eval \
;                    -b '(load "/where/it/is/restore-folder-3.scm") (kds-restore-folder "/photos" "/restored")'
;
; Arguments that are left out have the model's own values: see plug-in-kds-restore in Help ▸ Procedure Browser.

(define (kds-restore-folder source target)
  (define (name-of file) (car (reverse (strbreakup file "/"))))
  (define (restore file)
    (let* ((image (car (gimp-file-load RUN-NONINTERACTIVE file)))
           (layers (car (gimp-image-get-layers image)))
           (result (string-append target "/" (car (strbreakup (name-of file) ".")) ".png")))
      (plug-in-kds-restore #:run-mode RUN-NONINTERACTIVE #:image image #:drawables layers)
      (gimp-file-save RUN-NONINTERACTIVE image result)
      (gimp-image-delete image)))
  (for-each (lambda (ending) (for-each restore (car (file-glob #:pattern (string-append source "/*" ending)))))
            '(".png" ".jpg" ".jpeg" ".PNG" ".JPG" ".JPEG")))
